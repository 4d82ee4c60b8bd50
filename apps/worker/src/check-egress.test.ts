/** The egress policy blocks private addresses, also behind names, unless they are allowed. Takes under a second. */
import { expect, test } from '@jest/globals';
import { checkEgress } from './check-egress.ts';

const SETTINGS = { egressAllow: [], noProxy: [], httpProxy: undefined, httpsProxy: undefined };

test.each([
  ['http://127.0.0.1:8090/hook', ['127.0.0.1']],
  ['http://0x7f.1/', ['127.0.0.1']],
  ['http://[::ffff:10.0.0.1]/', ['::ffff:a00:1']],
  ['https://169.254.169.254/latest', ['169.254.169.254']],
])('%s is blocked, unless its range is allowed', async (url, addresses) => {
  const blocked = addresses.map((address) => ({ address, allowed: false }));
  expect(await checkEgress(url, SETTINGS)).toMatchObject({ allowed: false, addresses: blocked });
  const egressAllow = ['127.0.0.0/8', '10.0.0.0/8', '169.254.0.0/16'];
  expect(await checkEgress(url, { ...SETTINGS, egressAllow })).toMatchObject({ allowed: true });
});

test('a name is judged by every address that it has', async () => {
  const { allowed, addresses } = await checkEgress('https://localhost/', SETTINGS);
  expect(allowed).toBe(false);
  expect(addresses.length).toBeGreaterThan(0);
});

test('behind a proxy names are its business, and literal addresses are not', async () => {
  const settings = { ...SETTINGS, httpsProxy: 'http://proxy.internal:3128' };
  expect(await checkEgress('https://nowhere.invalid/', settings)).toEqual({
    url: 'https://nowhere.invalid/',
    allowed: true,
    throughProxy: true,
    addresses: [],
  });
  expect(await checkEgress('https://10.0.0.1/', settings)).toMatchObject({
    allowed: false,
    throughProxy: true,
  });
  expect(await checkEgress('https://127.0.0.1/', settings)).toMatchObject({ throughProxy: false });
});

test.each(['', 'example.com', 'ftp://example.com/'])('%p is no URL of a webhook', async (url) => {
  expect(await checkEgress(url, SETTINGS)).toMatchObject({
    allowed: false,
    fault: 'is no http or https URL',
  });
});

test('the report shows no password of the URL', async () => {
  for (const url of ['http://user:planted-5ecret@127.0.0.1/?token=planted-5ecret', 'http//:planted/5ecret@h'])
    expect(JSON.stringify(await checkEgress(url, SETTINGS))).not.toMatch(/planted|5ecret/);
});

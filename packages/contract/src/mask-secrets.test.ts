/** What is shown of URLs and headers holds no secret, and nothing else is hidden. Takes under a second. */
import { expect, test } from '@jest/globals';
import { isSecretHeader, isSecretParameter, MASK, maskHeaders, maskUrl } from './mask-secrets.ts';

test.each([
  'Authorization',
  'proxy-authorization',
  'Cookie',
  'set-cookie',
  'X-Token',
  'X-Client-Secret',
  'X-Api-Key',
  'password',
  'X-Credential-Id',
  'X-Signature',
  'x-webhook-signature',
  'webhook-signature-2-signature',
])('the header %s is a secret', (name) => {
  expect(isSecretHeader(name)).toBe(true);
  expect(maskHeaders({ [name]: 'planted-5ecret' })).toEqual({ [name]: MASK });
});

test.each(['webhook-signature', 'Webhook-Id', 'content-type', 'retry-after', 'x-tenant'])(
  'the header %s is shown',
  (name) => {
    expect(isSecretHeader(name)).toBe(false);
    expect(maskHeaders({ [name]: 'shown' })).toEqual({ [name]: 'shown' });
  },
);

test('a header is masked if it is named as a secret, in any spelling', () => {
  expect(maskHeaders({ 'X-Tenant': 'planted-5ecret', 'X-Other': 'shown' }, ['x-tenant'])).toEqual({
    'X-Tenant': MASK,
    'X-Other': 'shown',
  });
});

test.each([
  'auth',
  'oauth_nonce',
  'access_token',
  'client_secret',
  'apiKey',
  'pass',
  'passwd',
  'pwd',
  'X-Amz-Credential',
  'X-Amz-Signature',
  'sig',
  'SIG',
  'code',
  'sas',
  'session_id',
])('the parameter %s is a secret', (name) => {
  expect(isSecretParameter(name)).toBe(true);
  expect(maskUrl(`https://receiver.test/hook?a=b&${name}=planted-5ecret&c=d`)).toBe(
    `https://receiver.test/hook?a=b&${name}=***&c=d`,
  );
});

test.each(['page', 'zipcode', 'code_version', 'design', 'sigma', 'sasquatch', 'kansas', 'se', 'sp'])(
  'the parameter %s is shown',
  (name) => {
    const url = `https://receiver.test/hook?${name}=shown`;
    expect(isSecretParameter(name)).toBe(false);
    expect(maskUrl(url)).toBe(url);
  },
);

test.each([
  ['https://user:planted-5ecret@receiver.test/', 'https://user:***@receiver.test/'],
  ['https://planted-5ecret@receiver.test/', 'https://***@receiver.test/'],
  ['https://:planted-5ecret@receiver.test/', 'https://:***@receiver.test/'],
  ['https://user:x@receiver.test/?sig=planted-5ecret', 'https://user:***@receiver.test/?sig=***'],
  ['https://receiver.test/?sig=planted&sig=5ecret&b=c', 'https://receiver.test/?sig=***&b=c'],
  // Nothing to mask: as it was written, in every byte.
  ['HTTPS://Receiver.test:443/a/../b?x=%7e', 'HTTPS://Receiver.test:443/a/../b?x=%7e'],
])('%s is shown as %s', (url, shown) => {
  expect(maskUrl(url)).toBe(shown);
});

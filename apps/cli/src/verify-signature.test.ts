/** The CLI verifies genuine signatures, and refuses old, broken and foreign ones. Takes under a second. */
import { expect, test } from '@jest/globals';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createVerifier } from './verify-signature.ts';

const NOW_MS = Date.parse('2026-11-24T12:00:00Z');
const TIMESTAMP = String(NOW_MS / 1_000);
const SHARED = Buffer.alloc(32, 7);
const WHSEC = `whsec_${SHARED.toString('base64')}`;
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
const point = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
// Bytes that are no UTF-8: what is signed is what was sent.
const BODY = Buffer.from([0x7b, 0xff, 0x7d]);

const contentOf = (id: string, timestamp: string) =>
  Buffer.concat([Buffer.from(`${id}.${timestamp}.`), BODY]);
const hmac = (id: string, timestamp: string, secret = SHARED) =>
  `v1,${createHmac('sha256', secret).update(contentOf(id, timestamp)).digest('base64')}`;
const ed25519 = (id: string, timestamp: string) =>
  `v1a,${sign(null, contentOf(id, timestamp), privateKey).toString('base64')}`;

const request = (signature: string | undefined, timestamp: string | undefined = TIMESTAMP) => ({
  id: 'wh_1',
  timestamp,
  signature,
  body: BODY,
});

test('a signature by the secret is verified, also beside others while it is replaced', () => {
  const verify = createVerifier([WHSEC]);
  const other = hmac('wh_1', TIMESTAMP, Buffer.alloc(32, 8));
  expect(verify(request(hmac('wh_1', TIMESTAMP)), NOW_MS)).toEqual({ verified: true, scheme: 'v1' });
  expect(verify(request(`${other} ${hmac('wh_1', TIMESTAMP)}`), NOW_MS)).toMatchObject({ verified: true });
  expect(verify(request(other), NOW_MS)).toMatchObject({ verified: false });
});

test.each([
  ['public key', `whpk_${point.toString('base64')}`],
  ['private key', `whsk_${seed.toString('base64')}`],
  ['private key with its public one', `whsk_${Buffer.concat([seed, point]).toString('base64')}`],
])('ed25519 is verified with the %s', (_name, secret) => {
  const verify = createVerifier([secret]);
  expect(verify(request(ed25519('wh_1', TIMESTAMP)), NOW_MS)).toEqual({ verified: true, scheme: 'v1a' });
  // Of another webhook, and by the other scheme.
  expect(verify(request(ed25519('wh_2', TIMESTAMP)), NOW_MS)).toMatchObject({ verified: false });
  expect(verify(request(hmac('wh_1', TIMESTAMP)), NOW_MS)).toMatchObject({ verified: false });
});

test('what is older than five minutes, or later, is refused though it is signed', () => {
  const verify = createVerifier([WHSEC]);
  const at = (seconds: number) => {
    const timestamp = String(NOW_MS / 1_000 + seconds);
    return verify(request(hmac('wh_1', timestamp), timestamp), NOW_MS).verified;
  };
  expect([-300, 0, 300].map(at)).toEqual([true, true, true]);
  expect([-301, 301].map(at)).toEqual([false, false]);
  expect(verify(request(hmac('wh_1', 'NaN'), 'NaN'), NOW_MS)).toMatchObject({ verified: false });
});

test.each(['', 'v1', 'v1,', 'v1,not base64!', 'v1a,AAAA', 'v2,AAAA', ',', `v1a${'x'.repeat(100_000)}`])(
  'signature %#, which is none, is refused',
  (signature) => {
    const verify = createVerifier([WHSEC, `whpk_${point.toString('base64')}`]);
    expect(verify(request(signature), NOW_MS)).toMatchObject({ verified: false });
  },
);

test('missing headers are named', () => {
  const verify = createVerifier([WHSEC]);
  expect(verify({ ...request(undefined), timestamp: undefined }, NOW_MS)).toEqual({
    verified: false,
    why: 'without webhook-timestamp, webhook-signature',
  });
});

test.each(['', 'secret', 'whsec_', 'whsec_!', 'whpk_AAAA', 'whsk_AAAA'])('%s is no secret', (secret) => {
  expect(() => createVerifier([secret])).toThrow(TypeError);
});

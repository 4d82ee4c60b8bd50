/** Receivers can verify every signature, also during a rotation of secrets. Takes under a second. */
import { createPublicKey, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { signatureHeaders } from './sign.ts';

const secret = (letter: string) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`;

/** A private key as Standard Webhooks writes it: the seed, and the public key behind it where `whole`. */
function ed25519Secret(whole: boolean): { secret: string; publicKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const parts = [d, ...(whole ? [x] : [])].map((part) => Buffer.from(part, 'base64url'));
  return {
    secret: `whsk_${Buffer.concat(parts).toString('base64')}`,
    publicKey: createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })),
  };
}

test('a receiver verifies the signature with the standardwebhooks package, with each secret of a rotation', () => {
  const body = '{"grüße":"\u{1F44B}"}';
  const headers = signatureHeaders({
    webhookId: 'wh_1',
    nowMs: Date.now(),
    body,
    secrets: [secret('a'), secret('b')],
  });
  expect(new Webhook(secret('a')).verify(body, headers)).toEqual(JSON.parse(body));
  expect(new Webhook(secret('b')).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(secret('c')).verify(body, headers)).toThrow();
  expect(() => new Webhook(secret('a')).verify(`${body} `, headers)).toThrow();
});

test.each([false, true])(
  'an ed25519 key signs as v1a, beside HMAC; with its public key behind it: %s',
  (whole) => {
    const { secret: privateKey, publicKey } = ed25519Secret(whole);
    const body = '{"grüße":"\u{1F44B}"}';
    const headers = signatureHeaders({
      webhookId: 'wh_1',
      nowMs: Date.now(),
      body,
      secrets: [secret('a'), privateKey],
    });
    const signatures = headers['webhook-signature']?.split(' ') ?? [];
    expect(signatures.map((signature) => signature.split(',')[0])).toEqual(['v1', 'v1a']);
    const content = Buffer.from(`wh_1.${headers['webhook-timestamp']}.${body}`);
    const bytes = Buffer.from(signatures[1]?.split(',')[1] ?? '', 'base64');
    expect(verify(null, content, publicKey, bytes)).toBe(true);
    expect(verify(null, Buffer.from('else'), publicKey, bytes)).toBe(false);
    // A receiver that knows HMAC alone is not put off by it.
    expect(new Webhook(secret('a')).verify(body, headers)).toEqual(JSON.parse(body));
  },
);

test('a secret signs until it expires; where all have expired, nothing is signed', () => {
  const expiresAt = '2026-11-23T10:00:00Z';
  const at = (ms: number) => {
    const headers = signatureHeaders({
      webhookId: 'wh_1',
      nowMs: Date.parse(expiresAt) + ms,
      body: '',
      secrets: [
        { secret: secret('a'), expiresAt },
        { secret: secret('b'), expiresAt: '2026-11-23T12:00:01+02:00' },
      ],
    });
    return headers['webhook-signature']?.split(' ').length ?? 0;
  };
  expect([-1, 0, 999, 1_000].map(at)).toEqual([2, 1, 1, 0]);
});

test('without secrets the id and the time are sent, and no signature', () => {
  expect(
    signatureHeaders({ webhookId: 'wh_1', nowMs: 1_700_000_000_999, body: '', secrets: undefined }),
  ).toEqual({
    'webhook-id': 'wh_1',
    'webhook-timestamp': '1700000000',
  });
});

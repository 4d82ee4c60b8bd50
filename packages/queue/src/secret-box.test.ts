/** Secrets are encrypted at rest, survive a key rotation, and are refused when changed. Takes under a second. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createSecretBox, parseEncryptionKey, SecretKeyMissingError } from './secret-box.ts';

const OWNER = { channelConfigId: '31' };
const [OLD, NEW] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];

test('what is closed is opened again, and shows nothing meanwhile', () => {
  const box = createSecretBox([NEW]);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 4 }), (text) => {
      const sealed = box.seal(text, OWNER);
      expect(sealed).not.toContain(text);
      expect(box.seal(text, OWNER)).not.toBe(sealed);
      expect(box.open(sealed, OWNER)).toBe(text);
    }),
  );
});

test('while a key is replaced, both open and the first closes', () => {
  const sealed = createSecretBox([OLD]).seal('secret', OWNER);
  const rotating = createSecretBox([NEW, OLD]);
  expect(rotating.open(sealed, OWNER)).toBe('secret');
  expect(createSecretBox([NEW]).open(rotating.seal('secret', OWNER), OWNER)).toBe('secret');
  expect(() => createSecretBox([NEW]).open(sealed, OWNER)).toThrow(SecretKeyMissingError);
});

test('what was written without a key is still read', () => {
  expect(createSecretBox([NEW]).open('{"version":1}', OWNER)).toBe('{"version":1}');
  expect(createSecretBox([]).seal('text', OWNER)).toBe('text');
});

test('what was changed is refused', () => {
  const box = createSecretBox([NEW]);
  const sealed = box.seal('secret', OWNER);
  const at = sealed.length - 5;
  const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
  expect(() => box.open(changed, OWNER)).toThrow();
});

test.each([
  [{ channelConfigId: '31' }, { channelConfigId: '32' }],
  [{ campaignId: '31' }, { campaignId: '32' }],
  // Ids are their owners' to choose.
  [{ campaignId: '31' }, { channelConfigId: '31' }],
] as const)('what was closed for %j is not opened for %j', (owner, other) => {
  const box = createSecretBox([NEW]);
  const sealed = box.seal('secret', owner);
  expect(box.open(sealed, owner)).toBe('secret');
  expect(() => box.open(sealed, other)).toThrow();
});

test('what a version before closed without an owner is read as long as its key is among ours', () => {
  const sealed = sealedBefore(OLD, 'secret');
  expect(createSecretBox([NEW, OLD]).open(sealed, OWNER)).toBe('secret');
  expect(() => createSecretBox([NEW]).open(sealed, OWNER)).toThrow(SecretKeyMissingError);
});

test('a tag of fewer bytes than were written is refused', () => {
  const box = createSecretBox([NEW]);
  const [version, id, encoded] = box.seal('', OWNER).split('.') as [string, string, string];
  for (let bytes = 1; bytes < 28; bytes += 1) {
    const cut = Buffer.from(encoded, 'base64url').subarray(0, bytes).toString('base64url');
    expect(() => box.open(`${version}.${id}.${cut}`, OWNER)).toThrow();
  }
});

test.each([
  '',
  'short',
  randomBytes(31).toString('base64'),
  `${randomBytes(32).toString('base64')}x`,
  '!'.repeat(44),
])('%j is no key', (text) => {
  expect(() => parseEncryptionKey(text)).toThrow(TypeError);
});

/** As this package did until it closed texts for their owners. */
function sealedBefore(text: string, secret: string): string {
  const key = Buffer.from(text, 'base64');
  const id = createHash('sha256').update(key).digest('hex').slice(0, 8);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const bytes = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `s1.${id}.${bytes.toString('base64url')}`;
}

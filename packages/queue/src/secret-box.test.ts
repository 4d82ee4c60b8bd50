/** Secrets are encrypted at rest, survive a key rotation, and are refused when changed. Takes under a second. */
import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createSecretBox, parseEncryptionKey, SecretKeyMissingError } from './secret-box.ts';

const [OLD, NEW] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];

test('what is closed is opened again, and shows nothing meanwhile', () => {
  const box = createSecretBox([NEW]);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 4 }), (text) => {
      const sealed = box.seal(text);
      expect(sealed).not.toContain(text);
      expect(box.seal(text)).not.toBe(sealed);
      expect(box.open(sealed)).toBe(text);
    }),
  );
});

test('while a key is replaced, both open and the first closes', () => {
  const sealed = createSecretBox([OLD]).seal('secret');
  const rotating = createSecretBox([NEW, OLD]);
  expect(rotating.open(sealed)).toBe('secret');
  expect(createSecretBox([NEW]).open(rotating.seal('secret'))).toBe('secret');
  expect(() => createSecretBox([NEW]).open(sealed)).toThrow(SecretKeyMissingError);
});

test('what was written without a key is still read', () => {
  expect(createSecretBox([NEW]).open('{"version":1}')).toBe('{"version":1}');
  expect(createSecretBox([]).seal('text')).toBe('text');
});

test('what was changed is refused', () => {
  const box = createSecretBox([NEW]);
  const sealed = box.seal('secret');
  const at = sealed.length - 5;
  const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
  expect(() => box.open(changed)).toThrow();
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

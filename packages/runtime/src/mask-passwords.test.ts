/** No password of a URL is shown, whatever is wrong with the URL. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { maskPasswords, maskUrlsIn } from './mask-passwords.ts';

// Each character that ends a URL's authority, or separates URLs, and is not percent-encoded in a password.
const password = fc
  .array(fc.constantFrom('hunter', '/', '?', '#', '@', ':', ',', '%', '[', ']', '\\', '//', ' ', '&', '='), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => `${parts.join('')}secret`);

test.each(['redis://', 'rediss://', 'redis+sentinel://', 'http://', ''])(
  'no password is shown of a URL that begins with %j, whatever characters it has',
  (scheme) => {
    fc.assert(
      fc.property(
        password,
        fc.constantFrom('', 'user'),
        fc.constantFrom('host', 'h:6379/0', '[::1]:7'),
        (pw, user, host) => {
          const one = `${scheme}${user}:${pw}@${host}`;
          for (const text of [one, `${one},redis://b`, `redis://b,${one}`]) {
            const masked = maskPasswords(text);
            expect(masked).not.toContain('hunter');
            expect(masked).not.toContain('secret');
          }
        },
      ),
    );
  },
);

test('a password whose host was forgotten is not shown as its port', () => {
  expect(maskPasswords('redis://:secret')).toBe('redis://***');
  expect(maskPasswords('redis://default:secret/0')).toBe('redis://***');
});

test.each([
  'redis://cache:6379/0',
  'redis://[::1]:7000',
  'redis://a:1,redis://b:2',
  'redis+sentinel://a,b:7/main',
  'x',
  '',
])('%j is shown as it is', (text) => {
  expect(maskPasswords(text)).toBe(text);
});

test("a library's sentence is shown without the users of its URLs", () => {
  expect(maskUrlsIn('connect to https://u:secret@a/v1 failed, as did http://b:4318/x@y')).toBe(
    'connect to https://***@a/v1 failed, as did http://***@y',
  );
});

/** Retry-After is read as RFC 9110 writes it, whatever this machine's time zone is. Takes under a second. */
import { expect, test } from '@jest/globals';
import { parseRetryAfterMs } from './retry-after.ts';

const NOW_MS = Date.parse('1994-11-06T08:49:00Z');

test.each([
  ['37', 37_000],
  [' 0 ', 0],
  // RFC 9110, 5.6.7.
  ['Sun, 06 Nov 1994 08:49:37 GMT', 37_000],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 37_000],
  ['Sun Nov  6 08:49:37 1994', 37_000],
  ['Wed Nov 16 08:49:37 1994', 864_037_000],
])('%j', (text, ms) => {
  expect(parseRetryAfterMs(text, NOW_MS)).toBe(ms);
});

test.each([
  '',
  'soon',
  '-5',
  '1.5',
  '1e3',
  '1994-11-07',
  'Mon, 1',
  'Sun, 06 Nov 1994 08:48:37 GMT',
  'Sun, 06 Nov 1994 08:49:37',
  'Sun, 06 Nov 1994 08:49:37 PST',
  'Sun Nov  6 08:49:37 1994 PST',
  'Sun, 99 Nov 1994 08:49:37 GMT',
  'Sun, 06 Foo 1994 08:49:37 GMT',
])('a Retry-After of %j is none', (text) => {
  expect(parseRetryAfterMs(text, NOW_MS)).toBeUndefined();
});

test('no header is none', () => {
  expect(parseRetryAfterMs(undefined, NOW_MS)).toBeUndefined();
  expect(parseRetryAfterMs(null, NOW_MS)).toBeUndefined();
});

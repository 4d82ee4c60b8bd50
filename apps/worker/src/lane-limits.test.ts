/** A channel's limits become the limits of its lane. Takes under a second. */
import { expect, test } from '@jest/globals';
import { isLimited, laneLimits, NO_LIMITS } from './lane-limits.ts';

test('a channel without limits has none', () => {
  expect(laneLimits({})).toEqual(NO_LIMITS);
  expect(isLimited(NO_LIMITS)).toBe(false);
});

test.each([
  [
    { limit: 1, per: 'second' },
    { intervalMs: 1_000, burst: 1 },
  ],
  [
    { limit: 60, per: 'minute' },
    { intervalMs: 1_000, burst: 1 },
  ],
  [
    { limit: 100, per: 'second' },
    { intervalMs: 10, burst: 100 },
  ],
  [
    { limit: 100, per: 'second', burst: 1 },
    { intervalMs: 10, burst: 1 },
  ],
] as const)('a rate of %j', (rateLimit, limits) => {
  expect(laneLimits({ rateLimit })).toMatchObject(limits);
});

test('a concurrency alone is a limit too', () => {
  expect(laneLimits({ concurrencyLimit: 7 })).toEqual({ ...NO_LIMITS, concurrency: 7 });
  expect(isLimited(laneLimits({ concurrencyLimit: 7 }))).toBe(true);
});

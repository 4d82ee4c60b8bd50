/** A channel's limits become the limits of its lane. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isLimited, laneLimits, NO_LIMITS } from './lane-limits.ts';

test('a channel without limits has none', () => {
  expect(laneLimits({})).toEqual(NO_LIMITS);
  expect(isLimited(NO_LIMITS)).toBe(false);
});

test.each([
  [
    { limit: 1, per: 'second' },
    { intervalMs: 1_000, pieceSize: 1, burstMs: 0 },
  ],
  [
    { limit: 60, per: 'minute' },
    { intervalMs: 1_000, pieceSize: 1, burstMs: 0 },
  ],
  [
    { limit: 100, per: 'second' },
    { intervalMs: 10, pieceSize: 25, burstMs: 750 },
  ],
  [
    { limit: 100, per: 'second', burst: 1 },
    { intervalMs: 10, pieceSize: 1, burstMs: 0 },
  ],
] as const)('a rate of %j', (rateLimit, limits) => {
  expect(laneLimits({ rateLimit })).toMatchObject(limits);
});

test('a piece never holds more than the burst, nor more than may be in flight', () => {
  const rateLimit = fc.record(
    {
      limit: fc.integer({ min: 1, max: 100_000 }),
      per: fc.constantFrom('second' as const, 'minute' as const),
      burst: fc.integer({ min: 1, max: 100_000 }),
    },
    { requiredKeys: ['limit', 'per', 'burst'] },
  );
  fc.assert(
    fc.property(rateLimit, fc.integer({ min: 1, max: 10_000 }), (given, concurrencyLimit) => {
      const limits = laneLimits({ rateLimit: given, concurrencyLimit });
      expect(limits.pieceSize).toBeGreaterThanOrEqual(1);
      expect(limits.pieceSize).toBeLessThanOrEqual(Math.min(given.burst, concurrencyLimit));
      // What may go at once: as far ahead as the lane may be, and the piece itself.
      expect(limits.burstMs / limits.intervalMs + limits.pieceSize).toBeLessThanOrEqual(given.burst + 0.001);
      expect(isLimited(limits)).toBe(true);
    }),
  );
});

/** Sums of numbers are exact to a millionth. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LIMB, type NumbersSummary, parseSummary, rounded, toLimbs } from './number-sums.ts';

const accepted = fc.oneof(
  fc.double({
    min: -Number.MAX_SAFE_INTEGER,
    max: Number.MAX_SAFE_INTEGER,
    noNaN: true,
    noDefaultInfinity: true,
  }),
  fc.maxSafeInteger(),
  fc.integer({ min: -1_000_000, max: 1_000_000 }).map((cents) => cents / 100),
);

const summaryOf = ({ high, low }: { high: number; low: number }) =>
  parseSummary(`1 ${high} ${low} 0 0`) as NumbersSummary;

test('a number in limbs is the number to the nearest millionth', () => {
  fc.assert(
    fc.property(accepted, (value) => {
      const limbs = toLimbs(value);
      expect(Number.isSafeInteger(limbs.high) && Number.isSafeInteger(limbs.low)).toBe(true);
      expect(limbs.low).toBeGreaterThanOrEqual(0);
      expect(limbs.low).toBeLessThan(LIMB);
      expect(Math.abs(summaryOf(limbs).sum - value)).toBeLessThanOrEqual(0.5e-6 + Math.abs(value) * 1e-15);
      expect(summaryOf(limbs).sum).toBe(rounded(value));
    }),
  );
});

test('a number of six decimals, as people write prices, stays itself', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), fc.integer({ min: 0, max: 6 }), (digits, decimals) => {
      const value = Number(`${digits}e-${decimals}`);
      expect(rounded(value)).toBe(value === 0 ? 0 : value);
    }),
  );
});

test.each([
  [0.1 + 0.2, 0.3],
  [-0.0000004, 0],
  [-1.5, -1.5],
  [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
])('%d counts as %d', (value, counted) => {
  expect(rounded(value) + 0).toBe(counted);
});

test('a number and its negative add up to 0, also halves of a millionth', () => {
  const halves = fc.integer({ min: -1_000_001, max: 1_000_001 }).map((millionths) => millionths / 2_000_000);
  fc.assert(
    fc.property(fc.oneof(accepted, halves), (value) => {
      expect(rounded(-value) + rounded(value)).toBe(0);
    }),
    { examples: [[0.000_000_5], [-0.000_000_5], [0.000_000_4]] },
  );
  expect(rounded(-0.000_000_5)).toBe(-0.000_001);
});

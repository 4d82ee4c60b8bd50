/** Growth is told from what only comes and goes. Takes under a second. */
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { addedBetween, growthOf, slopeOf } from './find-growth.ts';

const TOLERANCE = { absolute: 10, relative: 0.1 };
/** A sample a second. */
const samplesOf = (values: readonly number[]) => values.map((value, i) => ({ atMs: i * 1_000, value }));
const noise = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: 20, maxLength: 60 });

test('a slope is what is added in a minute, whatever a fifth of the samples say', () => {
  fc.assert(
    fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 20, max: 60 }), (perSecond, count) => {
      const values = Array.from({ length: count }, (_, i) => 100 + perSecond * i);
      for (let i = 2; i < count; i += 10) values[i] = 1e6;
      expect(slopeOf(samplesOf(values))?.perMinute).toBeCloseTo(perSecond * 60, 5);
    }),
  );
});

test('what grows by more than the tolerance is seen through noise, and by how much', () => {
  fc.assert(
    fc.property(noise, fc.integer({ min: 2, max: 100 }), (around, perSecond) => {
      const values = around.map((noisy, i) => 100 + perSecond * i + noisy);
      const added = perSecond * (values.length - 1);
      const growth = growthOf(samplesOf(values), { absolute: 10, relative: 0 });
      expect(Math.abs(growth - added)).toBeLessThan(added * 0.4 + 8);
    }),
  );
});

test('what comes and goes, shrinks, or grows within the tolerance does not grow', () => {
  fc.assert(
    fc.property(noise, fc.integer({ min: -100, max: 0 }), (around, perSecond) => {
      expect(growthOf(samplesOf(around.map((noisy, i) => 1_000 + perSecond * i + noisy)), TOLERANCE)).toBe(0);
    }),
  );
  expect(growthOf(samplesOf(Array.from({ length: 40 }, (_, i) => 1_000 + i)), TOLERANCE)).toBe(0);
  const wave = Array.from({ length: 40 }, (_, i) => 100 + (i % 2) * 90);
  expect(growthOf(samplesOf(wave), TOLERANCE)).toBe(0);
});

test('too few samples tell nothing', () => {
  expect(slopeOf(samplesOf([1, 2, 3]))).toBeUndefined();
  expect(growthOf(samplesOf([1, 1_000, 1_000_000]), TOLERANCE)).toBe(0);
});

test('between two times of rest, the medians are compared', () => {
  const before = samplesOf([100, 101, 99, 500]);
  expect(addedBetween(before, samplesOf([150, 151, 149, 0]), TOLERANCE)).toBeCloseTo(49, 0);
  expect(addedBetween(before, samplesOf([109, 109, 109]), TOLERANCE)).toBe(0);
  expect(addedBetween(before, [], TOLERANCE)).toBe(0);
});

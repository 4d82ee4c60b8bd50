/** Positions of a campaign are consecutive, and a run ends before its marks grow too large. Takes under a second. */
import { expect, test } from '@jest/globals';
import { createPositionAllocator } from './positions.ts';

test('each campaign has a run of its own, and its positions follow each other', () => {
  const positions = createPositionAllocator();
  const first = positions.allocate('a', 25);
  const second = positions.allocate('a', 1);
  const other = positions.allocate('b', 3);
  expect(first.first).toBe(0);
  expect(second).toEqual({ run: first.run, first: 25 });
  expect(other.first).toBe(0);
  expect(other.run).not.toBe(first.run);
});

test('a run ends before its marks get too large, and forgotten campaigns begin a new one', () => {
  let runs = 0;
  const positions = createPositionAllocator(() => String(++runs));
  positions.allocate('long', 3_999_990);
  expect(positions.allocate('long', 10)).toEqual({ run: '1', first: 3_999_990 });
  expect(positions.allocate('long', 1)).toEqual({ run: '2', first: 0 });
  for (let i = 0; i < 10_000; i += 1) positions.allocate(`other-${i}`, 1);
  expect(positions.allocate('long', 1).run).not.toBe('2');
});

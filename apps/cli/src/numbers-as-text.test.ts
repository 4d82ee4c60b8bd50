/** Durations, counts and shares are readable as text. Takes under a second. */
import { expect, test } from '@jest/globals';
import { count, duration, percentage } from './numbers-as-text.ts';

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1_000, '1.0 s'],
  [59_940, '59.9 s'],
  // What rounds to a minute is one, and what rounds to an hour.
  [59_960, '1 min 00 s'],
  [245_000, '4 min 05 s'],
  [3_599_900, '1 h 00 min'],
  [7_800_000, '2 h 10 min'],
  [100 * 3_600_000, '100 h 00 min'],
])('%d ms reads %s', (ms, text) => {
  expect(duration(ms)).toBe(text);
});

test('counts have their thousands apart, and a share of nothing is a dash', () => {
  expect(count(1_234_567)).toBe('1,234,567');
  expect(percentage(1, 3)).toBe('33.3 %');
  expect(percentage(0, 0)).toBe('–');
});

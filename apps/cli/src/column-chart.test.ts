/** A column chart shows each value at its share of the largest one. Takes under a second. */
import { expect, test } from '@jest/globals';
import { type ChartPart, columnChart, largestOf } from './column-chart.ts';

const part = (glyph: string, values: number[]): ChartPart => ({ glyph, values, paint: (text) => text });

test('columns are as high as their share of the largest, and parts stand on one another', () => {
  const parts = [part('#', [4, 2, 0]), part('o', [4, 0, 0])];
  expect(largestOf(parts)).toBe(8);
  expect(columnChart(parts, { height: 4, columnWidth: 1 })).toEqual(['o', 'o', '#', '##']);
});

test('what is not 0 is seen, beside whatever is large', () => {
  const parts = [part('#', [1_000_000, 1])];
  expect(columnChart(parts, { height: 2, columnWidth: 2 })).toEqual(['##', '####']);
});

test('parts are rounded where they meet: they never make a column higher', () => {
  const parts = [part('a', [1]), part('b', [1]), part('c', [1])];
  for (let height = 1; height < 9; height += 1)
    expect(columnChart(parts, { height, columnWidth: 1 }).join('')).toHaveLength(height);
});

test('nothing is an empty chart', () => {
  expect(columnChart([part('#', [0, 0])], { height: 2, columnWidth: 1 })).toEqual(['', '']);
  expect(columnChart([], { height: 1, columnWidth: 1 })).toEqual(['']);
});

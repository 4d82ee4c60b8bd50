/** The benchmark report shows each measurement with its spread, and draws only rates. Takes under a second. */
import { expect, test } from '@jest/globals';
import { benchChart, benchTable, shown } from './draw-bench.ts';

const FIGURES = [
  { name: 'enqueue', unit: '/s', median: 68_512.4, min: 60_000, max: 70_000 },
  { name: 'ceiling: <bare> & fast', unit: '/s', median: 1_900, min: 1_900, max: 1_900 },
  { name: 'memory', unit: 'bytes', median: 553, min: 553, max: 553 },
];

test('a figure is told with its spread, where it has one', () => {
  const [first, second] = benchTable(FIGURES).split('\n');
  expect(first).toMatch(/enqueue +68,512 \/s +60,000 … 70,000$/);
  expect(second).toMatch(/1,900 \/s$/);
});

test.each([
  [0.01234, '0.01'],
  [2.5049, '2.5'],
  [41.27, '41.3'],
  [1_234.5, '1,235'],
])('%d is shown as %s', (value, text) => expect(shown(value)).toBe(text));

test('the chart draws rates alone, and names are text', () => {
  const chart = benchChart(FIGURES);
  expect(chart.match(/<rect/g)).toHaveLength(2);
  expect(chart).toContain('&lt;bare> &amp; fast');
  expect(chart).not.toContain('memory');
});

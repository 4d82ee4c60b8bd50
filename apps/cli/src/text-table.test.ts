/** A text table aligns its columns, and escapes control characters. Takes under a second. */
import { expect, test } from '@jest/globals';
import { printable, textTable } from './text-table.ts';

test('words stand left and numbers right; colours take no room', () => {
  expect(
    textTable([
      ['name', 'count'],
      ['\u001B[32mlonger\u001B[39m', 7],
      ['x', 1_234],
    ]),
  ).toEqual(['  name    count', '  \u001B[32mlonger\u001B[39m      7', '  x        1234']);
  expect(textTable([])).toEqual([]);
});

test('what others wrote moves no cursor, and stays on its line', () => {
  expect(printable('a\u001B[2Jb\r\nc\u0007d\u009B5me')).toBe('ab c de');
  expect(printable('abcdef', 4)).toBe('abc…');
});

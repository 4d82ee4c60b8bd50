/** The metrics parser accepts and refuses the same text as Prometheus. Takes under a second. */
import { expect, test } from '@jest/globals';
import { parsePrometheus, sampleValue } from './parse-prometheus.ts';

const HISTOGRAM = (last: number) => `# TYPE t histogram
t_bucket{le="1"} 2
t_bucket{le="+Inf"} ${last}
t_sum 3.5
t_count 3
`;

test('samples are read with their labels, escapes and special numbers', () => {
  const families = parsePrometheus(
    '# HELP a what it is\n# TYPE a counter\na{b="x\\"y\\\\z\\n",c="1"} 3\na{b="other"} 1e3\n# TYPE g gauge\ng +Inf\n',
  );
  expect(families.get('a')).toMatchObject({ type: 'counter', help: 'what it is' });
  expect(sampleValue(families, 'a', { b: 'x"y\\z\n' })).toBe(3);
  expect(sampleValue(families, 'a', { b: 'other' })).toBe(1_000);
  expect(sampleValue(families, 'g')).toBe(Number.POSITIVE_INFINITY);
  expect(() => sampleValue(families, 'missing')).toThrow('no missing');
  expect(sampleValue(parsePrometheus(HISTOGRAM(3)), 't_count')).toBe(3);
});

test.each([
  ['a last line without end', '# TYPE a counter\na 1'],
  ['a sample without a type', 'a 1\n'],
  ['an unknown type', '# TYPE a ratio\na 1\n'],
  ['the same series twice', '# TYPE a counter\na{b="1",c="2"} 1\na{c="2",b="1"} 1\n'],
  ['no number', '# TYPE a counter\na one\n'],
  ['a label that is not closed', '# TYPE a counter\na{b="1} 1\n'],
  ['a histogram whose +Inf is not its count', HISTOGRAM(4)],
  [
    'a histogram that falls',
    '# TYPE t histogram\nt_bucket{le="1"} 3\nt_bucket{le="2"} 1\nt_bucket{le="+Inf"} 3\nt_count 3\n',
  ],
])('%s is refused, as Prometheus would', (_, text) => {
  expect(() => parsePrometheus(text)).toThrow();
});

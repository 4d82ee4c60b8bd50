/** A JSON body is measured as it is: no nesting and no values are overlooked. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { measureJson } from './json-bodies.ts';

const UNBOUNDED = { depthMax: Number.POSITIVE_INFINITY, valuesMax: Number.POSITIVE_INFINITY };

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function valuesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return 1 + Object.values(value).reduce((sum: number, one) => sum + valuesOf(one), 0);
}

test('depth is exact, and no value is overlooked, whatever is in its texts', () => {
  const texts = fc.string({
    unit: fc.constantFrom('"', '\\', '[', '{', ']', '}', ',', 'ö', '✓', '[{', '{]'),
  });
  const values = fc.jsonValue({ stringUnit: 'grapheme' });
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      texts,
      values,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(texts, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, fc.constantFrom(undefined, 1), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      const measured = measureJson(Buffer.from(text), UNBOUNDED);
      const read: unknown = JSON.parse(text);
      expect(measured.depth).toBe(depthOf(read));
      // Empty lists and objects count as if they held one.
      expect(measured.values).toBeGreaterThanOrEqual(valuesOf(read));
      expect(measured.values).toBeLessThanOrEqual(2 * valuesOf(read));
    }),
  );
});

test('what is beyond a limit is not read any further', () => {
  const deep = Buffer.from('['.repeat(1_000));
  expect(measureJson(deep, { depthMax: 10, valuesMax: 10_000 }).depth).toBe(11);
  const wide = Buffer.from(`[${'1,'.repeat(1_000)}1]`);
  expect(measureJson(wide, { depthMax: 10, valuesMax: 100 }).values).toBe(101);
});

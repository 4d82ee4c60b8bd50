/** What JSON has not is refused by name, and not changed in silence. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RefusedError } from './errors.ts';
import { toText } from './json-text.ts';

const refusedField = (value: object) => {
  try {
    return toText(value);
  } catch (error) {
    return (error as RefusedError).errors.map(({ field }) => field);
  }
};

test.each<[object, string]>([
  [{ payload: { price: Number.NaN } }, 'payload.price'],
  [{ payload: [1, Number.POSITIVE_INFINITY] }, 'payload[1]'],
  [{ payload: { tags: [{ a: Number.NEGATIVE_INFINITY }] } }, 'payload.tags[0].a'],
  [{ payload: new Map([['a', 1]]) }, 'payload'],
  [{ payload: { all: new Set([1]) } }, 'payload.all'],
  [{ payload: { call: () => 1 } }, 'payload.call'],
  [{ payload: { name: Symbol('a') } }, 'payload.name'],
  [{ payload: ['a', undefined] }, 'payload[1]'],
  [{ payload: { id: 1n } }, ''],
])('%o is refused, and named', (value, field) => {
  expect(refusedField(value)).toEqual([field]);
});

test('what refers to itself is refused', () => {
  const value: Record<string, unknown> = {};
  value['self'] = value;
  expect(refusedField(value)).toEqual(['']);
});

test('whatever JSON has comes back as it was; a field that is undefined is none, and a Date tells itself', () => {
  fc.assert(
    fc.property(fc.object({ values: [fc.jsonValue()] }), (value) => {
      expect(toText(value)).toBe(JSON.stringify(value));
    }),
  );
  expect(toText({ a: undefined, at: new Date(0), none: null })).toBe(
    '{"at":"1970-01-01T00:00:00.000Z","none":null}',
  );
});

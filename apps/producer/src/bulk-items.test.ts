/** The items of a bulk body come out whole wherever its chunks are cut, and all else is refused. Takes about 2 s. */
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { JsonTextError } from '@hookfleet/contract';
import fc from 'fast-check';
import { BodyTooLargeError } from './body-chunks.ts';
import { BulkShapeError, bulkItems } from './bulk-items.ts';

async function itemsOf(chunks: readonly Buffer[], itemBytesMax = 1_000_000): Promise<string[]> {
  const items: string[] = [];
  for await (const item of bulkItems(Readable.from(chunks), { itemBytesMax })) items.push(item.toString());
  return items;
}

/** The bytes, cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

const blanks = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
// As a caller may write it: every value of JSON, with escapes and blanks of any kind.
const itemText = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'))
  .map(([value, indent]) => JSON.stringify(value, null, indent));
const text = fc.string({ unit: 'grapheme' }).map((one) => JSON.stringify(one));

test('each item comes out byte for byte, wherever the chunks are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(itemText, text)),
      blanks,
      fc.array(fc.nat()),
      async (items, blank, places) => {
        const list = items.map((item) => blank + item + blank).join(',');
        const body = `${blank}{${blank}"webhooks"${blank}:${blank}[${list}${blank}]${blank}}${blank}`;
        expect(await itemsOf(cut(Buffer.from(body), places))).toEqual(items);
      },
    ),
  );
});

/** What the reader makes of a body: its items, or why it refuses it. */
async function outcomeOf(body: string, places: readonly number[] = []) {
  try {
    const items = await itemsOf(cut(Buffer.from(body), places));
    // An item that is no JSON is refused by whoever reads it.
    return items.every(isJson) ? { items: items.map((item) => JSON.parse(item) as unknown) } : 'syntax';
  } catch (error) {
    if (error instanceof JsonTextError) return 'syntax';
    if (error instanceof BulkShapeError) return 'shape';
    throw error;
  }
}

function isJson(body: string): boolean {
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
}

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"webhooks"',
  '"webhook"',
  '"',
  '\\',
  '1',
  '-',
  'null',
  ' ',
  '{}',
  '"a"',
];

test('it takes a body that JSON.parse takes as an object with webhooks alone, and no other', async () => {
  const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((all) => all.join(''));
  const nearly = fc
    .tuple(fc.constantFrom('', '{}', '1', '{},[]', '"]"', '{"a":"}"}'), pieces, fc.nat(40))
    .map(([items, piece, at]) => {
      const body = `{"webhooks":[${items}]}`;
      return body.slice(0, at) + piece + body.slice(at);
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(pieces, nearly), fc.array(fc.nat()), async (body, places) => {
      const outcome = await outcomeOf(body, places);
      if (typeof outcome === 'object') expect(JSON.parse(body)).toEqual({ webhooks: outcome.items });
      else if (isJson(body)) {
        const value = JSON.parse(body) as { webhooks?: unknown };
        const isTaken =
          JSON.stringify(Object.keys(value ?? {})) === '["webhooks"]' && Array.isArray(value.webhooks);
        // A field that is given twice is legal, and refused: which of them was meant?
        if (isTaken) expect(body.split('"webhooks"').length).toBeGreaterThan(2);
      }
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ['{}', ['webhooks REQUIRED']],
  ['{"webhooks":null}', ['webhooks WRONG_TYPE']],
  [
    '{"webhooks":{},"a":[1,{"b":"]"}],"\\u0062":"x"}',
    ['webhooks WRONG_TYPE', 'a UNKNOWN_FIELD', 'b UNKNOWN_FIELD'],
  ],
  ['{"webhooks":[1],"webhooks":[2]}', ['webhooks INVALID_VALUE']],
  ['{"Webhooks":[1]}', ['webhooks REQUIRED', 'Webhooks UNKNOWN_FIELD']],
])('%s is refused, with each field named', async (body, named) => {
  const refused = await itemsOf([Buffer.from(body)]).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(BulkShapeError);
  expect((refused as BulkShapeError).errors.map(({ field, type }) => `${field} ${type}`)).toEqual(named);
});

test('an item beyond its limit is refused before it is whole, and named', async () => {
  const endless = (function* () {
    yield Buffer.from('{"webhooks":[1,"');
    for (;;) yield Buffer.alloc(1_000, 'x');
  })();
  const reading = (async () => {
    for await (const item of bulkItems(Readable.from(endless), { itemBytesMax: 10_000 }))
      expect(String(item)).toBe('1');
  })();
  await expect(reading).rejects.toThrow(new BodyTooLargeError('webhooks[1] exceeds 10000 bytes'));
});

test('a reader who has enough items stops, and no more are read', async () => {
  let read = 0;
  const many = (async function* () {
    yield Buffer.from('{"webhooks":[{}');
    for (;;) {
      read += 1;
      yield Buffer.from(',{}');
    }
  })();
  let items = 0;
  for await (const _item of bulkItems(many, { itemBytesMax: 100 })) {
    items += 1;
    if (items === 5_001) break;
  }
  expect(read).toBeLessThan(5_010);
});

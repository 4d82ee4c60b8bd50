/**
 * The reader of JSON texts takes what JSON.parse takes and nothing else, and its spans are the values that JSON.parse
 * makes of them. Takes about 3 s.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isKeptByDouble, JSON_BYTES, JsonReader, JsonTextError } from './json-text.ts';

const oracle = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

function isJson(text: string): boolean {
  try {
    const reader = new JsonReader(Buffer.from(text));
    reader.skipValue();
    reader.end();
    return true;
  } catch (error) {
    if (error instanceof JsonTextError) return false;
    throw error;
  }
}

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
/** Any way to write a value: numbers of any length, escapes, white space, names given twice. */
const { json } = fc.letrec<{ json: string; string: string; escaped: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('true', 'false', 'null', '0', '-0', '1e400', '9007199254740993', '""'),
    fc.stringMatching(/^-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?$/),
    tie('string'),
    fc
      .array(
        fc.tuple(space, tie('json'), space).map((parts) => parts.join('')),
        { maxLength: 4 },
      )
      .chain((items) => space.map((inner) => `[${items.length === 0 ? inner : items.join(',')}]`)),
    fc
      .array(
        fc
          .tuple(space, tie('string'), space, space, tie('json'), space)
          .map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${value}${d}`),
        { maxLength: 4 },
      )
      .map((members) => `{${members.join(',')}}`),
  ),
  string: fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
    tie('escaped'),
  ),
  escaped: fc
    .array(
      fc.oneof(
        fc.constantFrom('\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t', 'ż', '🎣', '\u2028', '\x7f'),
        fc.stringMatching(/^\\u[0-9a-fA-F]{4}$/),
      ),
    )
    .map((parts) => `"${parts.join('')}"`),
}));

/** A text with a few of its characters taken out, doubled or replaced. */
const spoilt = fc
  .tuple(
    json,
    fc.array(
      fc.tuple(fc.nat(), fc.constantFrom('', ',', ':', '"', '\\', '}', ']', '0', '.', 'e', '\n', '\0')),
    ),
  )
  .map(([text, edits]) =>
    edits.reduce((now, [place, put]) => {
      const at = place % (now.length + 1);
      return now.slice(0, at) + put + now.slice(at + 1);
    }, text),
  );

test('it takes exactly the texts that JSON.parse takes', () => {
  fc.assert(
    fc.property(fc.oneof(json, spoilt), space, space, (text, before, after) => {
      const given = (before + text + after).toWellFormed();
      expect(isJson(given)).toBe(oracle(given));
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  ...[
    '',
    ' ',
    '[',
    ']',
    '{',
    '}',
    '[,]',
    '[1,]',
    '[,1]',
    '{,}',
    '{"a":1,}',
    '{"a"}',
    '{"a":}',
    '{a:1}',
    '{"a":1 "b":2}',
  ],
  ...[
    '[1 2]',
    '[1}',
    '{"a":1]',
    '"',
    '"\\',
    '"\\u12',
    '"\\x"',
    '"\n"',
    '01',
    '-',
    '+1',
    '1.',
    '.1',
    '1e',
    '1e+',
    '-01',
  ],
  ...[
    'tru',
    'nulll',
    'NaN',
    'Infinity',
    '1 1',
    '[]]',
    '{}}',
    '\u00a0 1',
    '"\ud800"'.toWellFormed(),
    '1\0',
    "'a'",
    '// 1',
  ],
  ...['\ufeff', '1\ufeff'],
])('%j is taken where JSON.parse takes it', (text) => {
  expect(isJson(text)).toBe(oracle(text));
});

test('a byte order mark before the text is passed over', () => {
  expect(isJson('\ufeff{}')).toBe(true);
});

/** The values below the root, by their spans. */
function read(text: string): unknown {
  const reader = new JsonReader(Buffer.from(text));
  const byte = reader.peek();
  if (byte === JSON_BYTES.openArray) {
    const items: unknown[] = [];
    reader.enter();
    for (let isFirst = true; reader.nextItem(isFirst); isFirst = false) items.push(readValue(reader));
    reader.end();
    return items;
  }
  if (byte !== JSON_BYTES.openObject) return readValue(reader);
  const members: [string, unknown][] = [];
  reader.enter();
  for (let isFirst = true; reader.nextMember(isFirst); isFirst = false) {
    const name = reader.name();
    expect(reader.isNamed('a')).toBe(name === 'a');
    members.push([name, readValue(reader)]);
  }
  reader.end();
  return Object.fromEntries(members);
}

function readValue(reader: JsonReader): unknown {
  reader.peek();
  const start = reader.at;
  reader.skipValue();
  const text = reader.text(start, reader.at);
  expect(text).toBe(text.trim());
  return JSON.parse(text);
}

test('the spans of items and members are their values, and names are read through escapes', () => {
  const names = fc.constantFrom('"a"', '"\\u0061"', '"b"', '"\\u0062"', '""', '"aa"', '"__proto__"');
  const object = fc
    .array(fc.tuple(space, names, space, json, space), { maxLength: 5 })
    .map(
      (members) => `{${members.map(([a, name, b, value, c]) => `${a}${name}${b}:${b}${value}${c}`).join()}}`,
    );
  fc.assert(
    fc.property(fc.oneof(json, object), (text) => {
      const given = text.toWellFormed();
      expect(read(given)).toEqual(JSON.parse(given));
    }),
    { numRuns: 2_000 },
  );
});

test('a value is as deep as its limit, and not deeper', () => {
  const deep = (levels: number) => Buffer.from(`${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`);
  new JsonReader(deep(64), { depthMax: 64 }).skipValue();
  expect(() => new JsonReader(deep(66), { depthMax: 64 }).skipValue()).toThrow(
    expect.objectContaining({ reason: 'depth' }),
  );
  new JsonReader(deep(1_000_000)).skipValue();
});

test.each([
  ...[
    '0',
    '-0',
    '1',
    '1.0',
    '1e2',
    '100e-2',
    '9007199254740991',
    '-9007199254740991.000',
    '0.0e-999',
    '12E+3',
  ],
  ...['0.1', '3.141592653589793238462643383279', '5e-324', '0.30000000000000004', '4503599627370495.5'],
])('%s is kept by a double', (source) => {
  expect(isKeptByDouble(source)).toBe(true);
});

test.each([
  ...[
    '9007199254740992',
    '9007199254740993',
    '-9007199254740993',
    '1e400',
    '-1e400',
    '1e16',
    '12345678901234567890',
  ],
  ...[
    '9007199254740991.4',
    '1.00000000000000000001',
    '1e-400',
    '0.99999999999999999999',
    '1e-99999999999999999999',
  ],
])('%s is not', (source) => {
  expect(isKeptByDouble(source)).toBe(false);
});

test('every whole number in the range of a double is kept however it is written, and no other', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }), fc.nat({ max: 20 }), (value, shift) => {
      const isSafe = value >= -(2n ** 53n - 1n) && value <= 2n ** 53n - 1n;
      const ways = [`${value}`, `${value}.000`, `${value}e0`, `${value}${'0'.repeat(shift)}e-${shift}`];
      for (const way of ways) expect(isKeptByDouble(way)).toBe(isSafe);
    }),
  );
});

function valuesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return 1 + Object.values(value).reduce((sum: number, one) => sum + valuesOf(one), 0);
}

test('values are counted one by one over all that is skipped, up to their limit and not beyond', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1), (value, indent) => {
      const bytes = Buffer.from(JSON.stringify([value, value, value], null, indent));
      const each = valuesOf(JSON.parse(JSON.stringify(value)));
      const skip = (valuesMax: number) => {
        const reader = new JsonReader(bytes, { valuesMax });
        reader.enter();
        for (let i = 0; reader.nextItem(i === 0); i += 1) {
          reader.countsValues = i !== 1;
          reader.skipValue();
        }
        return reader.values;
      };
      expect(skip(2 * each)).toBe(2 * each);
      expect(() => skip(2 * each - 1)).toThrow(`must not hold more than ${2 * each - 1} values`);
    }),
  );
});

test('numbers that may not be kept are noted, and no others', () => {
  const reader = new JsonReader(Buffer.from('[1, 123456789012345, 1234567890123456, {"a": 1e2}, "1e9"]'));
  reader.notesNumbers = true;
  reader.skipValue();
  expect(reader.longNumbers.map(({ start, end }) => reader.text(start, end))).toEqual([
    '1234567890123456',
    '1e2',
  ]);
});

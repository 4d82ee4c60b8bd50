/** A payload stays the bytes that the caller wrote, and what cannot be kept is refused by name. Takes about 2 s. */
import { expect, test } from '@jest/globals';
import { PAYLOAD_DEPTH_MAX } from '@hookfleet/contract';
import fc from 'fast-check';
import { readWebhook } from './webhook-text.ts';

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
/** JSON that no serializer of ours would write. */
const json = fc.oneof(
  fc.json().map((text) => text.toWellFormed()),
  fc
    .tuple(fc.json(), fc.constantFrom(1, '\t'))
    .map(([text, indent]) => JSON.stringify(JSON.parse(text), undefined, indent)),
  fc.constantFrom(
    '{"id":9007199254740993,"b":1,"2":2}',
    '[1.0, 1E400, -0]',
    '{"a":1,"a":2}',
    '"\\ud800\\/"',
    '{ }',
  ),
);
const payloadName = fc.constantFrom(
  '"payload"',
  '"p\\u0061yload"',
  '"\\u0070\\u0061\\u0079\\u006c\\u006f\\u0061\\u0064"',
);
const envelope = fc.array(
  fc.tuple(fc.constantFrom('campaignId', 'messageId', 'body', 'payloa', 'payloads', '', '__proto__'), json),
  { maxLength: 4 },
);

const webhook = fc
  .tuple(envelope, payloadName, json, space, fc.nat())
  .map(([fields, name, payload, gap, place]) => {
    const unique = new Map(fields);
    const members = [...unique].map(
      ([field, value]) => `${gap}${JSON.stringify(field)}${gap}:${gap}${value}`,
    );
    members.splice(place % (members.length + 1), 0, `${gap}${name}${gap}:${gap}${payload}${gap}`);
    return { payload, text: `${gap}{${members.join()}}${gap}` };
  });

test('any JSON is kept byte for byte, wherever the payload stands and however its name is written', () => {
  fc.assert(
    fc.property(webhook, ({ text, payload }) => {
      const read = readWebhook(Buffer.from(text));
      expect(read.payload).toBe(payload);
      expect(read.value).toEqual({ ...JSON.parse(text), payload: null });
    }),
    { numRuns: 1_000 },
  );
});

const faultsOf = (text: string | Buffer) => readWebhook(Buffer.from(text)).faults.map(({ field }) => field);
const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

test.each<[what: string, text: string | Buffer, fields: string[]]>([
  ['a payload that is given twice', '{"payload":1,"p\\u0061yload":2}', ['payload']],
  ['another field that is given twice', '{"userId":1,"payload":2,"userId":1}', ['userId']],
  ['nesting at its limit', `{"payload":${deep(PAYLOAD_DEPTH_MAX)}}`, []],
  ['nesting beyond it', `{"payload":${deep(PAYLOAD_DEPTH_MAX + 1)}}`, ['payload']],
  ['nesting without an end', `{"payload":${'['.repeat(200_000)}`, ['payload']],
  ['nesting that is not closed', `{"payload":${'['.repeat(100)}`, ['']],
  ['nesting of another field', `{"auth":${deep(PAYLOAD_DEPTH_MAX + 1)},"payload":1}`, ['auth']],
  ['bytes that are no UTF-8', Buffer.from('{"payload":"\xff"}', 'latin1'), ['payload']],
  ['half of a surrogate pair as bytes', Buffer.from('{"payload":"\xed\xa0\x80"}', 'latin1'), ['payload']],
  ['such bytes in a name', Buffer.from('{"payload":1,"\xff":2}', 'latin1'), ['\ufffd']],
  ['half of a surrogate pair as an escape', '{"payload":"\\ud800"}', []],
  [
    'numbers that a double would change',
    '{"messageId":9007199254740993,"x":[{"y":1e400}],"payload":1e400}',
    ['messageId', 'x[0].y'],
  ],
  ['a number of many digits that it keeps', '{"messageId":1.0000000000000000000,"payload":1}', []],
  ['a byte order mark', '\ufeff{"payload":1}', []],
  ['a byte order mark within', '{\ufeff"payload":1}', ['']],
  ['more fields than any webhook has', `{${'"a":1,'.repeat(100_000)}"a":1}`, ['']],
  ['a field of 7 MiB', `{"body":"${'x'.repeat(7 * 1024 * 1024)}"}`, ['']],
  ['a payload of 7 MiB, which is bounded elsewhere', `{"payload":"${'x'.repeat(7 * 1024 * 1024)}"}`, []],
  ['a text that breaks off', '{"payload":1', ['']],
  ['a text that goes on', '{"payload":1}}', ['']],
  ['nothing', '', ['']],
])('%s is a fault of its field, or none', (_what, text, fields) => {
  expect(faultsOf(text)).toEqual(fields);
});

test('faults are named up to 100, with a part of a name that is long', () => {
  const numbers = Array.from({ length: 5_000 }, () => '1e400').join();
  expect(readWebhook(Buffer.from(`{"a":[${numbers}],"payload":1}`)).faults).toHaveLength(100);
  expect(faultsOf(`{"${'x'.repeat(100_000)}":1e400,"payload":1}`)).toEqual([`${'x'.repeat(256)}…`]);
});

test('what is nested too deeply hides no fault behind it', () => {
  expect(faultsOf(`{"payload":${deep(5_000)},"auth":${deep(5_000)},"a":1,"a":2}`)).toEqual([
    'payload',
    'auth',
  ]);
});

test('the values of its fields are bounded, and none are made of its payload', () => {
  const ones = (count: number) => `[${Array.from({ length: count }, () => 1).join()}]`;
  const text = (fields: number, payload: number) => `{"auth":${ones(fields)},"payload":${ones(payload)}}`;
  expect(faultsOf(text(9_999, 200_000))).toEqual([]);
  const { value, faults } = readWebhook(Buffer.from(text(10_000, 1)));
  expect([value, faults]).toEqual([
    undefined,
    [{ field: '', type: 'TOO_LONG', detail: 'must not hold more than 10000 values' }],
  ]);
  expect(readWebhook(Buffer.from(ones(10_000))).value).toBe(undefined);
});

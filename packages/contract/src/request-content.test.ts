/** A payload becomes the request that its destination asks for: JSON, form, text, XML or query. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Destination } from './destination.ts';
import { requestContent } from './request-content.ts';

const FORM = 'application/x-www-form-urlencoded';
const sent = (payload: unknown, destination: Pick<Destination, 'method' | 'contentType'> = {}) =>
  requestContent({ body: JSON.stringify(payload) }, destination);

test('a payload is JSON where its destination says nothing else', () => {
  expect(sent({ a: 1 })).toEqual({ body: '{"a":1}', contentType: 'application/json' });
});

test('a form has a pair for each member and each item of a list; what has members itself stays JSON', () => {
  const payload = {
    name: 'Ż & co',
    age: 7,
    is: true,
    none: null,
    tags: ['a', 'b'],
    deep: { x: [1] },
    mixed: [{ y: 2 }],
  };
  const { body, contentType } = sent(payload, { contentType: FORM });
  expect(contentType).toBe(FORM);
  expect([...new URLSearchParams(body)]).toEqual([
    ['name', 'Ż & co'],
    ['age', '7'],
    ['is', 'true'],
    ['none', ''],
    ['tags', 'a'],
    ['tags', 'b'],
    ['deep', '{"x":[1]}'],
    ['mixed', '{"y":2}'],
  ]);
});

test('of a payload whose members are texts, a form keeps every one', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (payload) => {
      // Half a surrogate pair is no text that UTF-8 can carry.
      const wellFormed = Object.fromEntries(
        Object.entries(payload).map((pair) => pair.map((text) => text.toWellFormed()) as [string, string]),
      );
      const { body } = sent(wellFormed, { contentType: FORM });
      expect(Object.fromEntries(new URLSearchParams(body))).toEqual({ ...wellFormed });
    }),
  );
});

test.each([['text'], [5], [null], [[1, 2]]])(
  '%j, which is no object, is the pair payload of a form',
  (payload) => {
    const { body } = sent(payload, { contentType: FORM });
    const expected = typeof payload === 'string' ? payload : payload === null ? '' : JSON.stringify(payload);
    expect([...new URLSearchParams(body)]).toEqual([['payload', expected]]);
  },
);

test('a text is sent as it is as text or XML; what is none stays JSON, and XML is not claimed of it', () => {
  expect(sent('<a/>', { contentType: 'application/xml' })).toEqual({
    body: '<a/>',
    contentType: 'application/xml',
  });
  expect(sent({ a: 1 }, { contentType: 'application/xml' })).toEqual({
    body: '{"a":1}',
    contentType: 'application/json',
  });
  expect(sent('hello', { contentType: 'text/plain' }).body).toBe('hello');
  expect(sent([1], { contentType: 'text/plain' })).toEqual({
    body: '[1]',
    contentType: 'text/plain; charset=utf-8',
  });
});

test("a body is sent as it is, whatever the destination's contentType", () => {
  const webhook = { body: 'a=1', contentType: FORM };
  expect(requestContent(webhook, { contentType: 'application/xml' })).toEqual(webhook);
});

test('GET sends no body: a payload, a form and any other body go into the query, and nothing is lost', () => {
  const get = { method: 'GET' } as const;
  expect(sent({ a: 1, b: ['x', 'y'] }, get)).toEqual({ body: '', query: 'a=1&b=x&b=y' });
  expect(requestContent({ body: 'a=1', contentType: `${FORM}; charset=utf-8` }, get)).toEqual({
    body: '',
    query: 'a=1',
  });
  expect(requestContent({ body: '<a/>', contentType: 'text/xml' }, get)).toEqual({
    body: '',
    query: 'body=%3Ca%2F%3E',
  });
  expect(sent({}, get)).toEqual({ body: '' });
});

test('neither payload nor body, as a DELETE may have it, is nothing, without a content type', () => {
  expect(requestContent({ body: '' }, { method: 'DELETE' })).toEqual({ body: '' });
});

test('what was put into Redis by somebody else and is no JSON does not stop the worker', () => {
  expect(requestContent({ body: '{"a":' }, { contentType: FORM }).body).toBe('payload=%7B%22a%22%3A');
});

/** As a caller writes it: nothing of it went through a parser of ours. */
const written = (body: string, destination: Pick<Destination, 'method' | 'contentType'>) =>
  requestContent({ body }, destination);
const formOf = (body: string) => [...new URLSearchParams(written(body, { contentType: FORM }).body)];

test('a form and a query keep the digits of numbers, the order of members, and the bytes of what is nested', () => {
  const payload =
    '{ "id": 9007199254740993, "b": 1.00, "2": 1e400, "n": [12345678901234567890, -0], "deep": { "x" : 1.0 } }';
  const pairs = [
    ['id', '9007199254740993'],
    ['b', '1.00'],
    ['2', '1e400'],
    ['n', '12345678901234567890'],
    ['n', '-0'],
    ['deep', '{ "x" : 1.0 }'],
  ];
  expect(formOf(payload)).toEqual(pairs);
  expect([...new URLSearchParams(written(payload, { method: 'GET' }).query)]).toEqual(pairs);
  expect(formOf('9007199254740993')).toEqual([['payload', '9007199254740993']]);
});

test('a member that is given twice is two pairs, and its name is read through escapes', () => {
  expect(formOf('{"a":1,"\\u0061":2}')).toEqual([
    ['a', '1'],
    ['a', '2'],
  ]);
});

test('half of a surrogate pair, which UTF-8 has no bytes for, stays as JSON writes it', () => {
  expect(formOf('{"a":"\\ud800","\\udfff":1}')).toEqual([
    ['a', '"\\ud800"'],
    ['"\\udfff"', '1'],
  ]);
  expect(written('"\\ud800"', { contentType: 'text/plain' }).body).toBe('"\\ud800"');
  expect(written('"\\ud800"', { contentType: 'application/xml' })).toEqual({
    body: '"\\ud800"',
    contentType: 'application/json',
  });
});

test('any JSON payload is sent as JSON byte for byte', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 1, 2), (json, indent) => {
      const body = JSON.stringify(JSON.parse(json), undefined, indent);
      expect(written(body, {}).body).toBe(body);
    }),
  );
});

test('a payload that is nested as deep as an earlier version took it is sent', () => {
  const deep = `{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`;
  expect(formOf(deep)).toEqual([['a', deep.slice(6, -2)]]);
  expect(formOf(`[${deep}]`)).toEqual([['payload', `[${deep}]`]]);
});

/** A JSON body is bounded before values are made of it, and its values are told. Takes under a second. */
import { expect, test } from '@jest/globals';
import { JSON_VALUES_MAX, PAYLOAD_DEPTH_MAX } from '@hookfleet/contract';
import fastify from 'fastify';
import { addJsonBodies, jsonBytes } from './json-bodies.ts';
import { addProblemReplies } from './problems.ts';

async function setup() {
  const told: number[] = [];
  const app = fastify();
  addJsonBodies(app, (_request, values) => told.push(values));
  addProblemReplies(app, () => false);
  app.post('/value', async ({ body }) => ({ body }));
  app.post('/bytes', { config: { keepsJsonBytes: true } }, async (request) => ({
    hex: jsonBytes(request).toString('hex'),
  }));
  const post = async (url: string, payload: string | Buffer) => {
    const answer = await app.inject({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json' },
      payload,
    });
    return { status: answer.statusCode, json: answer.json() };
  };
  return { app, told, post };
}

const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const wide = (values: number) => `[${Array.from({ length: values - 1 }, () => 1).join()}]`;

test('what is within the bounds is a value, and how many values it holds is told', async () => {
  const { told, post } = await setup();
  expect(await post('/value', '\ufeff {"__proto__":[1,{}],"a":"[,"} ')).toEqual({
    status: 200,
    json: { body: JSON.parse('{"__proto__":[1,{}],"a":"[,"}') as unknown },
  });
  expect((await post('/value', deep(PAYLOAD_DEPTH_MAX))).status).toBe(200);
  expect((await post('/value', wide(JSON_VALUES_MAX))).status).toBe(200);
  expect(told).toEqual([5, PAYLOAD_DEPTH_MAX, JSON_VALUES_MAX]);
});

test.each<[what: string, body: string | Buffer, type: string, detail: string]>([
  [
    'nested too deeply',
    deep(PAYLOAD_DEPTH_MAX + 1),
    'INVALID_VALUE',
    'must not be nested more than 64 levels deep',
  ],
  ['nested without end', '['.repeat(60_000), 'INVALID_VALUE', 'must not be nested more than 64 levels deep'],
  ['of too many values', wide(JSON_VALUES_MAX + 1), 'TOO_LONG', 'must not hold more than 100000 values'],
  ['not JSON', '{"token":"secret",}', 'INVALID_VALUE', 'is not valid JSON from byte 18 on'],
  ['not UTF-8', Buffer.from('{"a":"\xff"}', 'latin1'), 'INVALID_VALUE', 'is not valid UTF-8'],
])('a body that is %s is refused before values are made of it', async (_what, body, type, detail) => {
  const { told, post } = await setup();
  const { status, json } = await post('/value', body);
  expect([status, json.errors]).toEqual([400, [{ field: '', type, detail }]]);
  expect(told).toEqual([]);
});

test('a route that keeps bytes is given them as they are', async () => {
  const { told, post } = await setup();
  const body = Buffer.from('[1.0, "\xff"', 'latin1');
  expect((await post('/bytes', body)).json).toEqual({ hex: body.toString('hex') });
  expect((await post('/bytes', '')).json).toEqual({ hex: '' });
  expect(told).toEqual([]);
});

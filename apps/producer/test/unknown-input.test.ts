/** No call of the producer takes a query parameter, a body or a field that it does not know. Takes about 2 s. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  type ApiDescription,
  askWithUnknownInput,
  inlineComponents,
  startTestRedis,
} from '@hookfleet/testkit';
import { OPENAPI_FILE } from '../src/app.ts';
import { buildAppForDescription } from '../src/openapi.ts';
import { fieldsOf, type ProducerUnderTest, setupProducer } from './setup-producer.ts';

// A test holds the description against the routes (api.test.ts).
const description = inlineComponents(JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')) as ApiDescription);

test('every call refuses what it does not know, and names it', async () => {
  const app = await buildAppForDescription();
  const { calls, taken } = await askWithUnknownInput(app, description);
  expect(taken).toEqual([]);
  expect(calls.length).toBeGreaterThan(10);
  await app.close();
});

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  producer = await setupProducer(redis.url);
});

afterAll(async () => {
  await producer.close();
  await redis.stop();
});

test('a cancel that names a message does not cancel the campaign', async () => {
  const refused = await producer.call('POST', '/v1/campaigns/spring/cancel', { messageId: 'msg1' });
  expect([refused.status, fieldsOf(refused)]).toEqual([400, ['messageId']]);
  const byQuery = await producer.call('POST', '/v1/campaigns/spring/cancel?messageId=msg1');
  expect([byQuery.status, fieldsOf(byQuery)]).toEqual([400, ['messageId']]);
  for (const body of ['["msg1"]', '"msg1"', '1', 'null']) {
    const answer = await producer.call('POST', '/v1/campaigns/spring/cancel', body);
    expect([answer.status, fieldsOf(answer)]).toEqual([400, ['body']]);
  }
  expect((await producer.call('GET', '/v1/campaigns/spring/controls')).json.state).toBe('running');
});

test.each([
  'application/json',
  'application/json; charset=utf-8',
  'application/x-www-form-urlencoded',
  'text/plain',
])('a call without a body is taken when its client names the type %s all the same', async (contentType) => {
  const headers = { 'content-type': contentType };
  const path = '/v1/campaigns/spring/pause';
  expect((await producer.call('POST', path, '', headers)).status).toBe(200);
  expect((await producer.call('POST', path, undefined, headers)).status).toBe(200);
  expect((await producer.call('GET', '/v1/campaigns/spring/controls', undefined, headers)).status).toBe(200);
  await producer.call('PUT', '/v1/channels/empty', { url: 'https://example.com/' });
  expect((await producer.call('DELETE', '/v1/channels/empty', '', headers)).status).toBe(204);
  // A call that needs a body says so.
  const missing = await producer.call('POST', '/v1/webhooks/bulk', '', headers);
  expect([missing.status, fieldsOf(missing)]).toEqual([400, ['webhooks']]);
});

test('an empty object says nothing, and is taken', async () => {
  expect((await producer.call('POST', '/v1/campaigns/spring/resume', {})).status).toBe(200);
});

test('a chunked body without bytes is none', async () => {
  const response = await fetch(`${producer.url}/v1/campaigns/spring/pause`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: new ReadableStream({ start: (stream) => stream.close() }),
    duplex: 'half',
  } as RequestInit);
  expect(response.status).toBe(200);
  await response.text();
});

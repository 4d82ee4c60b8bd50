/**
 * POST /v1/channels/{channelConfigId}/test at the producer, where no worker runs: what it refuses, and when it gives up.
 * Takes about 2 s.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { fieldsOf, type ProducerUnderTest, setupProducer } from './setup-producer.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  producer = await setupProducer(redis.url, { channelTestPickupMs: 200 });
  await producer.call('PUT', '/v1/channels/crm', { url: 'https://example.com/hook', timeoutMs: 100 });
});

afterAll(async () => {
  await producer.close();
  await redis.stop();
});

test.each([
  ['both payload and body', { payload: 1, body: 'x', contentType: 'text/plain' }, 'payload'],
  ['a body without its content type', { body: 'x' }, 'contentType'],
  ['a content type without a body', { contentType: 'text/plain' }, 'body'],
  ['a content type that injects a header', { body: 'x', contentType: 'text/plain\r\nx: y' }, 'contentType'],
  ['an unknown field', { campaignId: 'c' }, 'campaignId'],
])('a test with %s is refused, and the field named', async (_, body, field) => {
  const answer = await producer.call('POST', '/v1/channels/crm/test', body);
  expect(answer.status).toBe(400);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  expect(fieldsOf(answer)).toEqual([field]);
});

test('a body that is no object is refused, and one of 1 MiB is too large', async () => {
  expect((await producer.call('POST', '/v1/channels/crm/test', '[]')).status).toBe(400);
  const large = { payload: 'x'.repeat(1024 * 1024) };
  expect((await producer.call('POST', '/v1/channels/crm/test', large)).status).toBe(413);
});

test.each(['nowhere', 'a%20b'])('there is no test of a channel that is not there: %s', async (id) => {
  expect((await producer.call('POST', `/v1/channels/${id}/test`)).status).toBe(404);
});

test('where no worker answers within the time-out and some seconds, it is 504, and nothing stays behind', async () => {
  const answer = await producer.call('POST', '/v1/channels/crm/test');
  expect(answer.status).toBe(504);
  expect(answer.json).toMatchObject({ title: 'Gateway Timeout', status: 504 });
  expect(await producer.jobs()).toBe(0);
});

test('a producer that stops does not wait for a test: 503, and it may be asked for again', async () => {
  const own = await setupProducer(redis.url, { prefix: 'stopping' });
  await own.call('PUT', '/v1/channels/slow', { url: 'https://example.com/hook', timeoutMs: 60_000 });
  const answer = own.call('POST', '/v1/channels/slow/test');
  await eventually(async () => expect(await own.jobs()).toBe(1));
  await own.close();
  expect((await answer).status).toBe(503);
});

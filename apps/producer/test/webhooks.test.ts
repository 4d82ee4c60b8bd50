/** Accepting webhooks: one, many, as NDJSON; and what the API says of them while they wait. Takes about 3 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseWebhookId } from '@hookfleet/contract';
import { CLOCKS_DIFFER_MS, startTestRedis } from '@hookfleet/testkit';
import { fieldsOf, type ProducerUnderTest, setupProducer, webhook } from './setup-producer.ts';

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

const NDJSON = { 'content-type': 'application/x-ndjson' };

test('a webhook that is accepted gets an id, and waits under it', async () => {
  const before = Date.now();
  const accepted = await producer.call('POST', '/v1/webhooks', webhook({ userId: 'u-1' }));
  expect(accepted.status).toBe(202);
  const found = await producer.call('GET', `/v1/webhooks/${accepted.json.id}`);
  expect(found.status).toBe(200);
  const { acceptedAt, ...rest } = found.json;
  expect(rest).toEqual({
    id: accepted.json.id,
    campaignId: 'spring-sale',
    messageId: 'welcome',
    state: 'pending',
    attempts: [],
  });
  expect(Date.parse(acceptedAt)).toBeGreaterThan(before - CLOCKS_DIFFER_MS);
  expect(Date.parse(acceptedAt)).toBeLessThan(Date.now() + CLOCKS_DIFFER_MS);
});

test('ids may be whole numbers, as the model platform writes them', async () => {
  await producer.call('PUT', '/v1/channels/31', { url: 'https://example.com/hook' });
  const { json } = await producer.call(
    'POST',
    '/v1/webhooks',
    webhook({ campaignId: 7, messageId: 8, channelConfigId: 31, destination: undefined }),
  );
  expect((await producer.call('GET', `/v1/webhooks/${json.id}`)).json).toMatchObject({
    campaignId: '7',
    messageId: '8',
    channelConfigId: '31',
  });
});

test('a webhook with deliverAt is scheduled, and one whose time is past is due at once', async () => {
  const deliverAt = new Date(Date.now() + 3_600_000).toISOString();
  const later = await producer.call('POST', '/v1/webhooks', webhook({ deliverAt }));
  expect((await producer.call('GET', `/v1/webhooks/${later.json.id}`)).json).toMatchObject({
    state: 'scheduled',
    deliverAt,
  });
  const past = await producer.call('POST', '/v1/webhooks', webhook({ deliverAt: '2020-01-01T00:00:00Z' }));
  expect((await producer.call('GET', `/v1/webhooks/${past.json.id}`)).json.state).toBe('pending');
});

test.each(['wh_0_000000000000_0_0', 'wh_9_000000000000_0_0', 'no-id', '%00', "wh_0'--"])(
  'GET of %s, which is no webhook, is a 404',
  async (id) => {
    const { status, json } = await producer.call('GET', `/v1/webhooks/${id}`);
    expect(status).toBe(404);
    expect(json).toMatchObject({ status: 404, title: 'Not Found' });
  },
);

test('5,000 webhooks go out as bundles of at most the bundle size, each with its own id', async () => {
  const own = await setupProducer(redis.url, { prefix: 'bulk' });
  const webhooks = Array.from({ length: 5_000 }, (_, i) => webhook({ messageId: `m-${i}` }));
  const { status, json } = await own.call('POST', '/v1/webhooks/bulk', { webhooks });
  expect(status).toBe(202);
  expect(new Set(json.ids).size).toBe(5_000);
  expect(Math.max(...json.ids.map((id: string) => parseWebhookId(id)?.index ?? Number.NaN))).toBe(24);
  expect(await own.jobs()).toBe(200);
  for (const at of [0, 24, 25, 4_999]) {
    const found = await own.call('GET', `/v1/webhooks/${json.ids[at]}`);
    expect(found.json).toMatchObject({ id: json.ids[at], messageId: `m-${at}` });
  }
  await own.close();
});

test('what differs in campaign, destination or time does not share a bundle', async () => {
  const own = await setupProducer(redis.url, { prefix: 'mixed' });
  const deliverAt = new Date(Date.now() + 60_000).toISOString();
  const kinds = [
    webhook(),
    webhook({ campaignId: 'other' }),
    webhook({ destination: { url: 'https://example.com/other' } }),
    webhook({ deliverAt }),
  ];
  const { json } = await own.call('POST', '/v1/webhooks/bulk', { webhooks: [...kinds, ...kinds] });
  expect(json.ids).toHaveLength(8);
  expect(await own.jobs()).toBe(4);
  await own.close();
});

test('NDJSON is taken in line by line, also where characters and lines fall on several chunks', async () => {
  const lines = Array.from({ length: 50 }, (_, i) =>
    JSON.stringify(webhook({ payload: { i, text: 'żółć 🎣' } })),
  );
  const bytes = Buffer.from(`${lines.join('\n')}\n\n`);
  let at = 0;
  const body = new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + 37));
      at += 37;
    },
  });
  const response = await fetch(`${producer.url}/v1/webhooks/bulk`, {
    method: 'POST',
    headers: NDJSON,
    body,
    duplex: 'half',
  } as RequestInit);
  expect(response.status).toBe(202);
  expect(((await response.json()) as { ids: string[] }).ids).toHaveLength(50);
});

test('a bulk call with one bad item enqueues none of it, and names every field at fault', async () => {
  const own = await setupProducer(redis.url, { prefix: 'all-or-none' });
  const items = [
    webhook(),
    webhook({ campaignId: undefined }),
    webhook({ payload: undefined }),
    webhook({ x: 1 }),
  ];
  const fields = ['webhooks[1].campaignId', 'webhooks[2].payload', 'webhooks[3].x'];
  const asJson = await own.call('POST', '/v1/webhooks/bulk', { webhooks: items });
  const asNdjson = await own.call(
    'POST',
    '/v1/webhooks/bulk',
    items.map((item) => JSON.stringify(item)).join('\n'),
    NDJSON,
  );
  for (const answer of [asJson, asNdjson]) {
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer)).toEqual(fields);
  }
  const broken = await own.call(
    'POST',
    '/v1/webhooks/bulk',
    `${JSON.stringify(webhook())}\n{"campaignId`,
    NDJSON,
  );
  expect(fieldsOf(broken)).toEqual(['webhooks[1]']);
  expect(await own.jobs()).toBe(0);
  await own.close();
});

test.each([
  ['no list', {}, ['webhooks']],
  ['an empty list', { webhooks: [] }, ['webhooks']],
  ['no array', { webhooks: {} }, ['webhooks']],
  ['a field beside the list', { webhooks: [webhook()], dryRun: true }, ['dryRun']],
  ['5,001 webhooks', { webhooks: Array.from({ length: 5_001 }, () => webhook()) }, ['webhooks']],
])('a bulk call with %s is refused', async (_, body, fields) => {
  const answer = await producer.call('POST', '/v1/webhooks/bulk', body);
  expect(answer.status).toBe(400);
  expect(fieldsOf(answer)).toEqual(fields);
});

test('an NDJSON body without a webhook, or with 5,001, is refused', async () => {
  const line = JSON.stringify(webhook());
  for (const body of ['\n \n', Array.from({ length: 5_001 }, () => line).join('\n')]) {
    const answer = await producer.call('POST', '/v1/webhooks/bulk', body, NDJSON);
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer)).toEqual(['webhooks']);
  }
});

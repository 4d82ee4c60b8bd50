/** Dead letters through the real processes: listed, replayed, counted once. Takes about 5 s. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Answer, eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import {
  accepted,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

jest.setTimeout(120_000);

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let producer: ProcessUnderTest;
let aggregator: ProcessUnderTest;
let worker: ProcessUnderTest;
let answer: (path: string) => Answer = () => ({ status: 404, body: 'no such recipient' });

beforeAll(async () => {
  redis = await startTestRedis();
  receiver = await startReceiver(({ path }) => answer(path));
  [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url, { HOOKFLEET_SHARDS: '2' }),
    startApplication('worker', redis.url, { HOOKFLEET_SHARDS: '2' }),
    startApplication('aggregator', redis.url, { HOOKFLEET_SHARDS: '2' }),
  ]);
});

afterAll(async () => {
  await Promise.all([producer.stop(), worker.stop(), aggregator.stop()]);
  await receiver.close();
  await redis.stop();
});

async function failuresOf(campaignId: string, query = ''): Promise<{ failures: Failure[]; cursor?: string }> {
  const response = await fetch(`${aggregator.url}/v1/campaigns/${campaignId}/failures?${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as { failures: Failure[]; cursor?: string };
}

interface Failure {
  readonly webhookId: string;
  readonly endedAt: string;
}

async function replay(
  path: string,
  body?: object,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(`${producer.url}/v1/${path}/replay`, {
    method: 'POST',
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

const messages = async (campaignId: string) => (await totalsOf(aggregator, campaignId)).messages;

test('failures are listed page by page, and a replay that delivers turns failed messages into delivered ones', async () => {
  const ids = await accepted(await enqueue(producer, webhooksTo(`${receiver.url}/a`, 'spring-sale', 30)));
  await eventually(async () =>
    expect(await messages('spring-sale')).toMatchObject({ accepted: 30, failed: 30, delivered: 0 }),
  );
  const listed: Failure[] = [];
  let cursor: string | undefined;
  do {
    const page = await failuresOf('spring-sale', `limit=7${cursor === undefined ? '' : `&cursor=${cursor}`}`);
    expect(page.failures.length).toBeLessThanOrEqual(7);
    listed.push(...page.failures);
    cursor = page.cursor;
  } while (cursor !== undefined);
  expect(listed.map(({ webhookId }) => webhookId).sort()).toEqual(ids.slice().sort());
  expect(listed.map(({ endedAt }) => endedAt)).toEqual(
    listed
      .map(({ endedAt }) => endedAt)
      .sort()
      .reverse(),
  );
  expect(listed[0]).toMatchObject({
    event: 'webhook.error',
    reason: 'http_4xx',
    statusCode: 404,
    attempts: 1,
    responseBody: 'no such recipient',
  });
  expect((await failuresOf('spring-sale', 'reason=gone')).failures).toEqual([]);
  expect((await failuresOf('spring-sale', 'reason=http_4xx&event=webhook.error')).failures).toHaveLength(30);

  answer = () => ({ status: 200 });
  const one = ids[0] as string;
  expect((await replay(`webhooks/${one}`)).status).toBe(202);
  await eventually(async () =>
    expect(await messages('spring-sale')).toMatchObject({ failed: 29, delivered: 1 }),
  );
  // It is delivered: there is nothing to replay, and it is no failure any more.
  expect((await replay(`webhooks/${one}`)).status).toBe(409);
  expect((await failuresOf('spring-sale')).failures).toHaveLength(29);

  // Told beforehand by both, and done by neither.
  for (const { url } of [producer, aggregator]) {
    const preview = await fetch(`${url}/v1/campaigns/spring-sale/replay?limit=21&perSecond=10`);
    expect(await preview.json()).toEqual({
      webhooks: 21,
      more: true,
      deadLetters: 29,
      channels: [{ webhooks: 21 }],
      perSecond: 10,
      seconds: 2,
    });
  }
  expect((await failuresOf('spring-sale')).failures).toHaveLength(29);

  expect(await replay('campaigns/spring-sale', { limit: 9, perSecond: 1_000 })).toMatchObject({
    status: 202,
    json: { replayed: 9, more: true },
  });
  await eventually(async () =>
    expect(await messages('spring-sale')).toMatchObject({ failed: 20, delivered: 10 }),
  );
  expect(await replay('campaigns/spring-sale')).toMatchObject({
    status: 202,
    json: { replayed: 20, more: false },
  });
  await eventually(async () =>
    expect(await messages('spring-sale')).toMatchObject({ failed: 0, delivered: 30 }),
  );
  const { events, messages: counted } = await totalsOf(aggregator, 'spring-sale');
  expect(events).toEqual({ 'webhook.error': 30, 'webhook.delivered': 30 });
  expect(counted).toEqual({ accepted: 30, delivered: 30, failed: 0, cancelled: 0, pending: 0 });
  expect((await failuresOf('spring-sale')).failures).toEqual([]);

  const found = await (await fetch(`${producer.url}/v1/webhooks/${one}`)).json();
  expect(found).toMatchObject({ state: 'delivered', attempts: [{ attempt: 1 }, { attempt: 2 }] });
});

test('a replay that fails is a failure as before, counted once, and can be replayed again', async () => {
  answer = () => ({ status: 404 });
  const [id = ''] = await accepted(
    await enqueue(producer, webhooksTo(`${receiver.url}/b`, 'autumn-sale', 1)),
  );
  await eventually(async () => expect(await messages('autumn-sale')).toMatchObject({ failed: 1 }));
  // Two at once make one attempt.
  await Promise.all([replay(`webhooks/${id}`), replay(`webhooks/${id}`)]);
  await eventually(async () =>
    expect((await totalsOf(aggregator, 'autumn-sale')).events).toEqual({ 'webhook.error': 2 }),
  );
  expect(await messages('autumn-sale')).toMatchObject({ accepted: 1, failed: 1, pending: 0 });
  answer = () => ({ status: 200 });
  await eventually(async () => expect((await replay(`webhooks/${id}`)).status).toBe(202));
  await eventually(async () =>
    expect(await messages('autumn-sale')).toMatchObject({ failed: 0, delivered: 1 }),
  );
  expect(receiver.count(({ request }) => request.path === '/b')).toBe(3);
});

test('a replay has its own retry schedule', async () => {
  answer = () => ({ status: 503 });
  const retry = { delaysMs: [10], jitter: 0 };
  const [id = ''] = await accepted(
    await enqueue(producer, webhooksTo(`${receiver.url}/c`, 'winter-sale', 1, { retry })),
  );
  await eventually(async () => expect(await messages('winter-sale')).toMatchObject({ failed: 1 }));
  await replay(`webhooks/${id}`);
  await eventually(async () =>
    expect((await totalsOf(aggregator, 'winter-sale')).events).toEqual({ 'webhook.bounced': 4 }),
  );
  expect(await messages('winter-sale')).toMatchObject({ failed: 1, pending: 0 });
});

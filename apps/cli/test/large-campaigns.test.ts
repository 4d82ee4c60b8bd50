/** A large campaign, and what operators and small campaigns want meanwhile; through the real processes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import {
  accepted,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

const LARGE = 30_000;
const CALL = 5_000;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let producer: ProcessUnderTest;
let aggregator: ProcessUnderTest;
let worker: ProcessUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  // Slow enough that the large one takes a quarter of a minute at least: twenty in flight, ten milliseconds each.
  receiver = await startReceiver(() => ({ status: 200, delayMs: 10 }));
  [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url, { LOG_LEVEL: 'info' }),
    startApplication('worker', redis.url, { HOOKFLEET_CONCURRENCY: '20' }),
    startApplication('aggregator', redis.url),
  ]);
});

afterAll(async () => {
  await Promise.all([producer.stop(), worker.stop(), aggregator.stop()]);
  await receiver.close();
  await redis.stop();
});

async function send(campaignId: string, count: number, destination: object = {}): Promise<void> {
  for (let left = count; left > 0; left -= CALL)
    await accepted(
      await enqueue(producer, webhooksTo(receiver.url, campaignId, Math.min(left, CALL), destination)),
    );
}

async function call(method: string, path: string, body?: object): Promise<void> {
  const response = await fetch(`${producer.url}/v1/${path}`, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  if (!response.ok) throw new Error(await response.text());
}

const messages = async (campaignId: string) => (await totalsOf(aggregator, campaignId)).messages;

test('small ones are not delayed by it, and called off it is gone within seconds', async () => {
  await send('large', LARGE);
  await send('small', 20);
  await eventually(async () => expect(await messages('small')).toMatchObject({ delivered: 20, pending: 0 }), {
    timeoutMs: 20_000,
  });
  // In the order of their coming, all of the large one would have gone before.
  expect((await messages('large')).pending).toBeGreaterThan(LARGE / 2);

  await call('POST', 'campaigns/large/cancel');
  const cancelledAt = performance.now();
  await eventually(async () => expect(await messages('large')).toMatchObject({ pending: 0 }), {
    timeoutMs: 20_000,
  });
  expect(performance.now() - cancelledAt).toBeLessThan(15_000);
  const { accepted: all, delivered, cancelled } = await messages('large');
  expect({ all, ended: delivered + cancelled }).toEqual({ all: LARGE, ended: LARGE });
  expect(cancelled).toBeGreaterThan(LARGE / 4);
}, 60_000);

test('called off, what waits for a limited channel and for next week is cancelled at once too', async () => {
  await call('PUT', 'channels/slow', { url: receiver.url, rateLimit: { limit: 1, per: 'minute' } });
  const toChannel = Array.from({ length: 1_000 }, (_, i) => ({
    campaignId: 'stuck',
    messageId: 'm',
    channelConfigId: 'slow',
    payload: { i },
    ...(i % 2 === 0 && { deliverAt: new Date(Date.now() + 7 * 86_400_000).toISOString() }),
  }));
  await accepted(await enqueue(producer, toChannel));
  await eventually(async () =>
    expect(await messages('stuck')).toMatchObject({ accepted: 1_000, delivered: 1 }),
  );
  await call('POST', 'campaigns/stuck/cancel');
  await eventually(async () =>
    expect(await messages('stuck')).toMatchObject({ cancelled: 999, delivered: 1, pending: 0 }),
  );
});

test('one of them that is given a high priority overtakes the others within seconds', async () => {
  for (const id of ['a', 'b', 'c']) await send(id, CALL);
  await call('PUT', 'campaigns/c/controls', { priority: 'high' });
  await producer.waitForLog(({ msg, campaignId }) => msg === 'campaign.reprioritized' && campaignId === 'c');
  await eventually(async () => expect((await messages('c')).pending).toBe(0), { timeoutMs: 90_000 });
  const [a, b] = [await messages('a'), await messages('b')];
  expect(a.pending + b.pending).toBeGreaterThan(CALL);
  for (const id of ['a', 'b']) await call('POST', `campaigns/${id}/cancel`);
}, 120_000);

/**
 * Workers are killed, one after the other, while batches gather and are sent: each recipient is in one batch, each is
 * counted once, and no more batches are sent twice than the killed workers had in flight.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { BatchBody } from '@hookfleet/contract';
import { eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { accepted, enqueue, type ProcessUnderTest, startApplication, totalsOf } from './fleet-under-test.ts';

const CONCURRENCY = 10;
const KILLS = 5;
const WEBHOOKS = 4_030;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProcessUnderTest;
let aggregator: ProcessUnderTest;
let receiver: Receiver;

beforeAll(async () => {
  redis = await startTestRedis();
  receiver = await startReceiver(() => ({ status: 200, delayMs: 15 }));
  [producer, aggregator] = await Promise.all([
    startApplication('producer', redis.url),
    startApplication('aggregator', redis.url),
  ]);
});

afterAll(async () => {
  await Promise.all([producer.stop(), aggregator.stop()]);
  await receiver.close();
  await redis.stop();
});

const startWorker = () =>
  startApplication('worker', redis.url, { HOOKFLEET_CONCURRENCY: String(CONCURRENCY) });

test('no recipient is lost, or in two batches, and each is counted once', async () => {
  await fetch(`${producer.url}/v1/channels/31`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: receiver.url, batch: { size: 50, maxWaitMs: 500 } }),
  });
  const ids: string[] = [];
  const send = async (count: number) => {
    const webhooks = Array.from({ length: count }, (_, i) => ({
      campaignId: 'batched',
      messageId: 'welcome',
      channelConfigId: 31,
      userId: i,
      payload: { i },
    }));
    ids.push(...(await accepted(await enqueue(producer, webhooks))));
  };
  await send(WEBHOOKS - 30);
  let worker = await startWorker();
  for (let kill = 1; kill <= KILLS; kill += 1) {
    await receiver.received(kill * 12);
    await worker.kill();
    worker = await startWorker();
  }
  await send(30);
  await eventually(
    async () => {
      expect((await totalsOf(aggregator, 'batched')).messages).toEqual({
        accepted: WEBHOOKS,
        delivered: WEBHOOKS,
        failed: 0,
        cancelled: 0,
        pending: 0,
      });
    },
    { timeoutMs: 90_000 },
  );
  expect(await worker.stop()).toEqual({ code: 0, signal: null });

  const batchOf = new Map<string, string>();
  const sent = receiver.ledger.map(({ request }) => request);
  for (const { body, webhookId = '' } of sent) {
    for (const { id } of (JSON.parse(body.toString()) as BatchBody).messages) {
      expect(batchOf.get(id) ?? webhookId).toBe(webhookId);
      batchOf.set(id, webhookId);
    }
  }
  expect(new Set(batchOf.keys())).toEqual(new Set(ids));
  const batches = new Set(batchOf.values()).size;
  expect(sent.length - batches).toBeLessThanOrEqual(KILLS * CONCURRENCY);
  expect((await totalsOf(aggregator, 'batched')).events).toEqual({ 'webhook.delivered': batches });
}, 150_000);

/**
 * The drill of killed-batches.test.ts, short in the gate and long in release-check/: workers are killed, one after the
 * other, while batches gather and are sent.
 */
import { expect } from '@jest/globals';
import type { BatchBody } from '@hookfleet/contract';
import { eventually, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { accepted, enqueue, startApplication, totalsOf } from './fleet-under-test.ts';

const CONCURRENCY = 10;
// Enqueued last: they are sent as a batch that is not full.
const LAST = 30;

export interface BatchesDrill {
  readonly kills: number;
  readonly webhooks: number;
}

/**
 * Each recipient is in one batch, each is counted once, and no more batches are sent twice than the killed workers had
 * in flight.
 */
export async function killWorkersWithBatches({ kills, webhooks }: BatchesDrill): Promise<void> {
  const redis = await startTestRedis();
  const receiver = await startReceiver(() => ({ status: 200, delayMs: 15 }));
  const [producer, aggregator] = await Promise.all([
    startApplication('producer', redis.url),
    startApplication('aggregator', redis.url),
  ]);
  const startWorker = () =>
    startApplication('worker', redis.url, { HOOKFLEET_CONCURRENCY: String(CONCURRENCY) });
  await fetch(`${producer.url}/v1/channels/31`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: receiver.url, batch: { size: 50, maxWaitMs: 500 } }),
  });
  const ids: string[] = [];
  const send = async (count: number) => {
    const some = Array.from({ length: count }, (_, i) => ({
      campaignId: 'batched',
      messageId: 'welcome',
      channelConfigId: 31,
      userId: i,
      payload: { i },
    }));
    ids.push(...(await accepted(await enqueue(producer, some))));
  };
  await send(webhooks - LAST);
  let worker = await startWorker();
  for (let kill = 1; kill <= kills; kill += 1) {
    await receiver.received(kill * 12);
    await worker.kill();
    worker = await startWorker();
  }
  await send(LAST);
  await eventually(
    async () => {
      expect((await totalsOf(aggregator, 'batched')).messages).toEqual({
        accepted: webhooks,
        delivered: webhooks,
        failed: 0,
        cancelled: 0,
        pending: 0,
      });
    },
    { timeoutMs: 120_000 },
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
  expect(sent.length - batches).toBeLessThanOrEqual(kills * CONCURRENCY);
  expect((await totalsOf(aggregator, 'batched')).events).toEqual({ 'webhook.delivered': batches });
  await Promise.all([producer.stop(), aggregator.stop()]);
  await receiver.close();
  await redis.stop();
}

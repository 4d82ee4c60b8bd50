/**
 * Workers are killed, one after the other, while webhooks wait in lanes: none is lost, each is counted once, and no more
 * are sent twice than the killed ones had in flight. Some destinations are limited, one hangs, one campaign has a rate.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { accepted, enqueue, type ProcessUnderTest, startApplication, totalsOf } from './fleet-under-test.ts';

const CONCURRENCY = 20;
const KILLS = 6;
const WEBHOOKS = 600;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProcessUnderTest;
let aggregator: ProcessUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  [producer, aggregator] = await Promise.all([
    startApplication('producer', redis.url),
    startApplication('aggregator', redis.url),
  ]);
});

afterAll(async () => {
  await Promise.all([producer.stop(), aggregator.stop()]);
  await redis.stop();
});

async function put(path: string, body: object): Promise<void> {
  const response = await fetch(`${producer.url}/v1/${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.ok).toBe(true);
}

function startWorker(): Promise<ProcessUnderTest> {
  return startApplication('worker', redis.url, { HOOKFLEET_CONCURRENCY: String(CONCURRENCY) });
}

test('nothing is lost or counted twice, and little is repeated', async () => {
  // A webhook is answered after a moment, so that every kill hits some that are under way.
  const hung = new Set<string>();
  const receiver = await startReceiver(({ path, webhookId = '' }) => {
    if (path !== '/hangs' || hung.has(webhookId)) return { status: 200, delayMs: 15 };
    hung.add(webhookId);
    return 'hang';
  });
  const retry = { delaysMs: [50, 50, 50, 50, 50], jitter: 0 };
  await put('channels/rate', { url: `${receiver.url}/rate`, rateLimit: { limit: 150, per: 'second' } });
  await put('channels/narrow', { url: `${receiver.url}/narrow`, concurrencyLimit: 6 });
  await put('channels/hangs', { url: `${receiver.url}/hangs`, timeoutMs: 1_000, retry });
  await put('channels/free', { url: `${receiver.url}/free` });
  await put('campaigns/gentle/controls', { rateLimit: { limit: 150, per: 'second' } });

  const ids: string[] = [];
  const send = async (campaignId: string, channelConfigId: string, count: number) => {
    const webhooks = Array.from({ length: count }, (_, i) => ({
      campaignId,
      channelConfigId,
      messageId: `m-${i}`,
      payload: { i },
    }));
    ids.push(...(await accepted(await enqueue(producer, webhooks))));
  };
  let worker = await startWorker();
  await send('plain', 'hangs', 60);
  await send('plain', 'rate', WEBHOOKS);
  await send('plain', 'narrow', WEBHOOKS);
  await send('gentle', 'free', WEBHOOKS);
  await send('gentle', 'rate', 60);
  for (let kill = 1; kill <= KILLS; kill += 1) {
    await receiver.received(kill * 120);
    await worker.kill();
    worker = await startWorker();
  }
  await eventually(
    async () => {
      expect((await totalsOf(aggregator, 'plain')).messages).toEqual({
        accepted: 60 + 2 * WEBHOOKS,
        delivered: 60 + 2 * WEBHOOKS,
        failed: 0,
        cancelled: 0,
        pending: 0,
      });
      expect((await totalsOf(aggregator, 'gentle')).messages).toMatchObject({
        accepted: WEBHOOKS + 60,
        delivered: WEBHOOKS + 60,
        pending: 0,
      });
    },
    { timeoutMs: 60_000 },
  );
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  const answered = receiver.ledger.filter(({ did }) => did === 200).map(({ request }) => request.webhookId);
  expect(new Set(answered)).toEqual(new Set(ids));
  expect(answered.length - ids.length).toBeLessThanOrEqual(KILLS * CONCURRENCY);
  await receiver.close();
}, 120_000);

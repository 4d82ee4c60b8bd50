/**
 * The drill of killed-lanes.test.ts, short in the gate and long in release-check/: workers are killed, one after the
 * other, while webhooks wait in lanes. Some destinations are limited, one hangs, one campaign has a rate.
 */
import { expect } from '@jest/globals';
import { eventually, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { accepted, enqueue, type ProcessUnderTest, startApplication, totalsOf } from './fleet-under-test.ts';

const CONCURRENCY = 20;
// Of the second campaign, to the channel that the first one fills.
const FEW = 60;

export interface LanesDrill {
  readonly kills: number;
  /** Webhooks to each of three lanes. */
  readonly webhooks: number;
  /** To the channel that hangs at each webhook's first attempt. When many time out for 3 s, its circuit opens for 5 s. */
  readonly hanging: number;
  readonly hangingTimeoutMs: number;
  /** A worker is killed each time this many more requests were received. */
  readonly requestsPerKill: number;
}

async function put(producer: ProcessUnderTest, path: string, body: object): Promise<void> {
  const response = await fetch(`${producer.url}/v1/${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.ok).toBe(true);
}

/** Nothing is lost or counted twice, and no more is sent twice than the killed workers had in flight. */
export async function killWorkersWithLanes({
  kills,
  webhooks,
  hanging,
  hangingTimeoutMs,
  requestsPerKill,
}: LanesDrill): Promise<void> {
  const redis = await startTestRedis();
  const [producer, aggregator] = await Promise.all([
    startApplication('producer', redis.url),
    startApplication('aggregator', redis.url),
  ]);
  const startWorker = () =>
    startApplication('worker', redis.url, { HOOKFLEET_CONCURRENCY: String(CONCURRENCY) });
  // A webhook is answered after a moment, so that every kill hits some that are under way.
  const hung = new Set<string>();
  const receiver = await startReceiver(({ path, webhookId = '' }) => {
    if (path !== '/hangs' || hung.has(webhookId)) return { status: 200, delayMs: 15 };
    hung.add(webhookId);
    return 'hang';
  });
  const retry = { delaysMs: [50, 50, 50, 50, 50], jitter: 0 };
  await put(producer, 'channels/rate', {
    url: `${receiver.url}/rate`,
    rateLimit: { limit: 150, per: 'second' },
  });
  await put(producer, 'channels/narrow', { url: `${receiver.url}/narrow`, concurrencyLimit: 6 });
  await put(producer, 'channels/hangs', { url: `${receiver.url}/hangs`, timeoutMs: hangingTimeoutMs, retry });
  await put(producer, 'channels/free', { url: `${receiver.url}/free` });
  await put(producer, 'campaigns/gentle/controls', { rateLimit: { limit: 150, per: 'second' } });

  const ids: string[] = [];
  const send = async (campaignId: string, channelConfigId: string, count: number) => {
    const batch = Array.from({ length: count }, (_, i) => ({
      campaignId,
      channelConfigId,
      messageId: `m-${i}`,
      payload: { i },
    }));
    ids.push(...(await accepted(await enqueue(producer, batch))));
  };
  let worker = await startWorker();
  await send('plain', 'hangs', hanging);
  await send('plain', 'rate', webhooks);
  await send('plain', 'narrow', webhooks);
  await send('gentle', 'free', webhooks);
  await send('gentle', 'rate', FEW);
  for (let kill = 1; kill <= kills; kill += 1) {
    await receiver.received(kill * requestsPerKill);
    await worker.kill();
    worker = await startWorker();
  }
  await eventually(
    async () => {
      expect((await totalsOf(aggregator, 'plain')).messages).toEqual({
        accepted: hanging + 2 * webhooks,
        delivered: hanging + 2 * webhooks,
        failed: 0,
        cancelled: 0,
        pending: 0,
      });
      expect((await totalsOf(aggregator, 'gentle')).messages).toMatchObject({
        accepted: webhooks + FEW,
        delivered: webhooks + FEW,
        pending: 0,
      });
    },
    { timeoutMs: 120_000 },
  );
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  const answered = receiver.ledger.filter(({ did }) => did === 200).map(({ request }) => request.webhookId);
  expect(new Set(answered)).toEqual(new Set(ids));
  expect(answered.length - ids.length).toBeLessThanOrEqual(kills * CONCURRENCY);
  await Promise.all([producer.stop(), aggregator.stop()]);
  await receiver.close();
  await redis.stop();
}

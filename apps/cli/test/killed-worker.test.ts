/**
 * A worker ended by SIGKILL repeats at most what it had in flight, under the same webhook-id; by SIGTERM nothing.
 * Takes about 10 s.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, startReceiver, startTestRedis } from '@hookfleet/testkit';
import {
  accepted,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

const CONCURRENCY = 20;
const WEBHOOKS = 400;
const FAST_MS = 20;
// Half of the attempt's timeout (RECOVERY of fleet-under-test.ts).
const SLOW_MS = 1_000;

jest.setTimeout(120_000);

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

async function endWorkerMidway(campaignId: string, end: (worker: ProcessUnderTest) => Promise<unknown>) {
  let isEnded = false;
  // Once it has a quarter, the destination is slow until the worker has ended, so that attempts are in flight then.
  const receiver = await startReceiver(() => ({
    status: 200,
    delayMs: !isEnded && receiver.ledger.length >= WEBHOOKS / 4 ? SLOW_MS : FAST_MS,
  }));
  const concurrency = { HOOKFLEET_CONCURRENCY: String(CONCURRENCY) };
  const worker = await startApplication('worker', redis.url, concurrency);
  const ids = await accepted(await enqueue(producer, webhooksTo(receiver.url, campaignId, WEBHOOKS)));
  await receiver.received(WEBHOOKS / 4 + CONCURRENCY / 2);
  await end(worker);
  isEnded = true;
  const receivedByFirst = receiver.ledger.length;
  const other = await startApplication('worker', redis.url, concurrency);
  const totals = await eventually(async () => {
    const found = await totalsOf(aggregator, campaignId);
    expect(found.messages).toMatchObject({ delivered: WEBHOOKS, pending: 0 });
    return found;
  });
  await other.stop();
  await receiver.close();
  const requests = receiver.ledger.map(({ request }) => request.webhookId);
  expect(new Set(requests)).toEqual(new Set(ids));
  expect(receivedByFirst).toBeLessThan(WEBHOOKS);
  return { repeats: requests.length - WEBHOOKS, totals };
}

test('a worker that is killed repeats at most what it had in flight, and each delivery is counted once', async () => {
  const { repeats, totals } = await endWorkerMidway('killed', (worker) => worker.kill());
  // Attempts were in flight: had none been repeated, the kill would have hit nothing.
  expect(repeats).toBeGreaterThan(0);
  expect(repeats).toBeLessThanOrEqual(CONCURRENCY);
  expect(totals.events).toEqual({ 'webhook.delivered': WEBHOOKS });
});

test('a worker that is told to stop repeats nothing, and exits 0', async () => {
  const { repeats, totals } = await endWorkerMidway('stopped', async (worker) => {
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });
  expect(repeats).toBe(0);
  expect(totals.events).toEqual({ 'webhook.delivered': WEBHOOKS });
});

/**
 * After a Redis outage the fleet recovers by itself, with nothing lost and nothing counted twice: once in the middle of
 * a campaign, once while idle and for longer than BullMQ's drainDelay (5 s). release-check/outage.test.ts has both
 * outages in both states, all of them long.
 * Takes about 13 s.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, startReceiver, startTestRedis } from '@hookfleet/testkit';
import {
  accepted,
  type Application,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

// BullMQ's drainDelay, in which an idle worker waits for a job, and some more.
const LONGER_THAN_DRAIN_DELAY_MS = 5_500;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let fleet: Record<Application, ProcessUnderTest>;

beforeAll(async () => {
  // As in production: what was acknowledged survives the server's end.
  redis = await startTestRedis({ appendFsync: 'always' });
  const [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url),
    startApplication('worker', redis.url, { HOOKFLEET_CONCURRENCY: '50' }),
    startApplication('aggregator', redis.url),
  ]);
  fleet = { producer, worker, aggregator };
}, 60_000);

afterAll(async () => {
  const ends = await Promise.all(Object.values(fleet).map((one) => one.stop()));
  await redis.stop();
  expect(ends).toEqual(ends.map(() => ({ code: 0, signal: null })));
}, 60_000);

/** The answer comes during the outage, which ends only afterwards. */
async function expectUnavailable(): Promise<void> {
  const response = await enqueue(fleet.producer, webhooksTo('http://127.0.0.1:9/', 'refused', 1));
  expect(response.status).toBe(503);
  expect((await fetch(`${fleet.worker.url}/healthz`)).status).toBe(200);
  await eventually(async () => expect((await fetch(`${fleet.worker.url}/readyz`)).status).toBe(503));
}

async function expectAllCounted(campaignId: string, messages: number, events: Record<string, number>) {
  await eventually(async () =>
    expect(await totalsOf(fleet.aggregator, campaignId)).toMatchObject({
      events,
      messages: { accepted: messages, delivered: messages, failed: 0, pending: 0 },
    }),
  );
}

test('a campaign goes on where it was after Redis was gone, and repeats no request', async () => {
  const receiver = await startReceiver(({ nth, body }) =>
    nth === 1 && (JSON.parse(body.toString()) as { number: number }).number % 5 === 0
      ? { status: 503 }
      : { status: 200, delayMs: 20 },
  );
  const retry = { delaysMs: [100, 100], jitter: 0 };
  await accepted(await enqueue(fleet.producer, webhooksTo(receiver.url, 'midway', 500, { retry })));
  await receiver.received(100);
  await redis.kill();
  await expectUnavailable();
  await redis.restart();
  await expectAllCounted('midway', 500, { 'webhook.delivered': 500, 'webhook.bounced': 100 });
  // Nobody died, so nothing was repeated: each answered request is counted, and no other was made.
  expect(receiver.ledger.length).toBe(600);
  await receiver.close();
}, 120_000);

test('an idle fleet takes webhooks again after Redis was frozen for longer than the drain delay', async () => {
  const receiver = await startReceiver();
  redis.suspend();
  // The length of the outage is what is tested: no event ends it.
  await new Promise((resolve) => setTimeout(resolve, LONGER_THAN_DRAIN_DELAY_MS));
  redis.resume();
  const ids = await eventually(async () =>
    accepted(await enqueue(fleet.producer, webhooksTo(receiver.url, 'idle', 60))),
  );
  await expectAllCounted('idle', ids.length, { 'webhook.delivered': 60 });
  await receiver.close();
}, 120_000);

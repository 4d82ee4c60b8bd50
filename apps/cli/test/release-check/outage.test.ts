/**
 * A Redis outage that is longer than BullMQ's drainDelay (5 s), at each process: idle, in the middle of a campaign,
 * gone or frozen. It ends in full recovery by itself, with nothing lost and nothing counted twice.
 * Takes about 48 s.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, startReceiver, startTestRedis } from '@hookfleet/testkit';
import {
  accepted,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from '../fleet-under-test.ts';

const OUTAGE_MS = 6_500;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let fleet: Record<'producer' | 'worker' | 'aggregator', ProcessUnderTest>;

beforeAll(async () => {
  // As it is run in earnest: what was acknowledged survives the server's end.
  redis = await startTestRedis({ appendFsync: 'always' });
  const [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url),
    startApplication('worker', redis.url, { HOOKFLEET_CONCURRENCY: '50' }),
    startApplication('aggregator', redis.url),
  ]);
  fleet = { producer, worker, aggregator };
});

afterAll(async () => {
  const ends = await Promise.all(Object.values(fleet).map((one) => one.stop()));
  await redis.stop();
  expect(ends).toEqual(ends.map(() => ({ code: 0, signal: null })));
});

/** The outage's length is what is tested: it can't be awaited. */
const outage = () => new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));

async function expectUnavailable(): Promise<void> {
  const startedAt = performance.now();
  const response = await enqueue(fleet.producer, webhooksTo('http://127.0.0.1:9/', 'refused', 1));
  expect(response.status).toBe(503);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect((await fetch(`${fleet.worker.url}/healthz`)).status).toBe(200);
  expect((await fetch(`${fleet.worker.url}/readyz`)).status).toBe(503);
}

async function expectAllCounted(campaignId: string, messages: number, events: Record<string, number>) {
  await eventually(
    async () =>
      expect(await totalsOf(fleet.aggregator, campaignId)).toMatchObject({
        events,
        messages: { accepted: messages, delivered: messages, failed: 0, pending: 0 },
      }),
    { timeoutMs: 20_000 },
  );
}

test.each([
  ['is gone', { begin: () => redis.kill(), end: () => redis.restart() }],
  ['is frozen', { begin: async () => redis.suspend(), end: async () => redis.resume() }],
] as const)(
  'a campaign goes on where it was after Redis %s',
  async (what, { begin, end }) => {
    const campaignId = `midway-${what.replace(' ', '-')}`;
    const receiver = await startReceiver(({ nth, body }) =>
      nth === 1 && (JSON.parse(body.toString()) as { number: number }).number % 5 === 0
        ? { status: 503 }
        : { status: 200, delayMs: 20 },
    );
    const retry = { delaysMs: [100, 100], jitter: 0 };
    await accepted(await enqueue(fleet.producer, webhooksTo(receiver.url, campaignId, 500, { retry })));
    await receiver.received(100);
    await begin();
    await expectUnavailable();
    await outage();
    await end();
    await expectAllCounted(campaignId, 500, { 'webhook.delivered': 500, 'webhook.bounced': 100 });
    // Nobody died, so nothing was repeated: each request that was answered is counted, and no other was made.
    expect(receiver.ledger.length).toBe(600);
    await receiver.close();
  },
  40_000,
);

test.each([
  ['was gone', { begin: () => redis.kill(), end: () => redis.restart() }],
  ['was frozen', { begin: async () => redis.suspend(), end: async () => redis.resume() }],
] as const)(
  'an idle fleet takes webhooks again after Redis %s',
  async (what, { begin, end }) => {
    const campaignId = `idle-${what.replace(' ', '-')}`;
    const receiver = await startReceiver();
    await begin();
    await outage();
    await end();
    const ids = await eventually(async () =>
      accepted(await enqueue(fleet.producer, webhooksTo(receiver.url, campaignId, 60))),
    );
    await expectAllCounted(campaignId, ids.length, { 'webhook.delivered': 60 });
    await receiver.close();
  },
  40_000,
);

/**
 * A large campaign does not delay a small one, is cancelled as a whole, and gives way to one of high priority.
 * Takes about 19 s.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
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
const IN_FLIGHT = 20;
const MEDIUM = 1_500;
// A large campaign takes more than a minute at the slow pace: it is under way for as long as it must, on any machine.
const SLOW_MS = 50;
const FAST_MS = 5;

jest.setTimeout(180_000);

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let producer: ProcessUnderTest;
let aggregator: ProcessUnderTest;
let worker: ProcessUnderTest;
// How long the destination takes to answer.
let answerMs = FAST_MS;

beforeAll(async () => {
  redis = await startTestRedis();
  receiver = await startReceiver(() => ({ status: 200, delayMs: answerMs }));
  [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url, { LOG_LEVEL: 'info' }),
    startWorker(),
    startApplication('aggregator', redis.url),
  ]);
});

afterAll(async () => {
  await Promise.all([producer.stop(), worker.stop(), aggregator.stop()]);
  await receiver.close();
  await redis.stop();
});

const startWorker = () => startApplication('worker', redis.url, { HOOKFLEET_CONCURRENCY: String(IN_FLIGHT) });

async function send(campaignId: string, count: number, destination: object = {}): Promise<void> {
  const url = `${receiver.url}/${campaignId}`;
  for (let left = count; left > 0; left -= CALL)
    await accepted(await enqueue(producer, webhooksTo(url, campaignId, Math.min(left, CALL), destination)));
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

test('a small campaign is not delayed by a large one, which is then cancelled as a whole', async () => {
  answerMs = SLOW_MS;
  await send('large', LARGE);
  await send('small', 20);
  await eventually(async () => expect(await messages('small')).toMatchObject({ delivered: 20, pending: 0 }));
  // In the order in which they came, all of the large one would have gone before.
  expect((await messages('large')).pending).toBeGreaterThan(LARGE / 2);

  await call('POST', 'campaigns/large/cancel');
  await eventually(async () => expect(await messages('large')).toMatchObject({ pending: 0 }));
  const { accepted: all, delivered, cancelled } = await messages('large');
  expect({ all, ended: delivered + cancelled }).toEqual({ all: LARGE, ended: LARGE });
  expect(cancelled).toBeGreaterThan(LARGE / 4);
});

test('cancelling a campaign also cancels what waits for a limited channel or for next week', async () => {
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

// No worker takes anything before the priority has changed: what a worker has parked in a lane by then keeps its place.
test('a campaign that is given a high priority overtakes those that came before it', async () => {
  answerMs = FAST_MS;
  await worker.stop();
  for (const id of ['a', 'b', 'c']) await send(id, MEDIUM);
  await call('PUT', 'campaigns/c/controls', { priority: 'high' });
  await producer.waitForLog(({ msg, campaignId }) => msg === 'campaign.reprioritized' && campaignId === 'c');
  worker = await startWorker();
  await eventually(async () => {
    for (const id of ['a', 'b', 'c'])
      expect(await messages(id)).toMatchObject({ delivered: MEDIUM, pending: 0 });
  });
  // By the order in which they arrived. Without the priority, most of the others come before most of this one.
  const arrived = receiver.ledger.map(({ request }) => request.path).filter((path) => /^\/[abc]$/.test(path));
  let left = 0.9 * MEDIUM;
  const reached = arrived.findIndex((path) => path === '/c' && --left <= 0);
  const othersBefore = arrived.slice(0, reached).filter((path) => path !== '/c');
  expect(othersBefore.length).toBeLessThan(MEDIUM);
});

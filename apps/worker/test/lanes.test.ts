/** Webhooks that may not be sent now: limits, neighbours, circuits. Two workers, so that what holds, holds for a fleet. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from '@jest/globals';
import type { Channel } from '@hookfleet/contract';
import {
  campaignLane,
  type Circuits,
  createSecretBox,
  disconnectRedis,
  laneOf,
  openCampaignControls,
  openChannels,
  openCircuits,
  type RedisConnection,
  type WebhooksOut,
} from '@hookfleet/queue';
import { type Answer, eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { connect, openProducer, startWorker, type WorkerUnderTest } from './setup.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let connection: RedisConnection;
let webhooks: WebhooksOut;
let circuits: Circuits;
let receiver: Receiver;
let workers: WorkerUnderTest[];
let prefix: string;
let answer: (path: string) => Answer;
/** When a request came, by path, in milliseconds. */
let arrivals: { path: string; atMs: number }[];
let prefixes = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  connection = connect(redis.url);
});

afterAll(async () => {
  disconnectRedis(connection);
  await redis.stop();
});

beforeEach(async () => {
  prefixes += 1;
  prefix = `t${prefixes}`;
  arrivals = [];
  answer = () => ({ status: 200 });
  receiver = await startReceiver(({ path }) => {
    arrivals.push({ path, atMs: performance.now() });
    return answer(path);
  });
  webhooks = openProducer(connection, { prefix });
  circuits = openCircuits({ connection, prefix });
  workers = await Promise.all([startWorker(redis.url, { prefix }), startWorker(redis.url, { prefix })]);
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await webhooks.close();
  await receiver.close();
  expect(workers.flatMap(({ errors }) => errors)).toEqual([]);
});

const retry = { delaysMs: [50, 50, 50, 50, 50, 50, 50], jitter: 0 };

async function channel(id: string, changes: Partial<Channel> = {}): Promise<void> {
  await openChannels({ connection, prefix, secrets: createSecretBox([]) }).put(id, {
    url: `${receiver.url}/${id}`,
    retry,
    ...changes,
  });
}

function send(channelConfigId: string, count: number, campaignId = 'c'): Promise<string[]> {
  return webhooks.enqueue(
    Array.from({ length: count }, (_, i) => ({
      campaignId,
      messageId: `m-${i}`,
      channelConfigId,
      body: '{}',
    })),
  );
}

const outcomes = () => workers.flatMap((worker) => worker.outcomes);
const delivered = () => outcomes().filter(({ event }) => event === 'webhook.delivered');

/** Most arrivals within any span of so many milliseconds. */
function mostWithin(spanMs: number): number {
  const times = arrivals.map(({ atMs }) => atMs);
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + spanMs).length));
}

test("a channel's rate holds over all workers, and is used to the full", async () => {
  await channel('limited', { rateLimit: { limit: 100, per: 'second', burst: 20 } });
  const startedAt = performance.now();
  await send('limited', 320);
  await eventually(() => expect(delivered()).toHaveLength(320), { timeoutMs: 15_000 });
  const tookMs = performance.now() - startedAt;
  // 20 at once, then 300 at 100 a second; a piece's worth of leeway.
  expect(tookMs).toBeGreaterThan(2_700);
  expect(tookMs).toBeLessThan(4_500);
  // The rate is that of the release: what a busy machine holds up on its way for a fifth of a second arrives together.
  expect(mostWithin(1_000)).toBeLessThanOrEqual(145);
  expect(receiver.ledger).toHaveLength(320);
});

test('a rate of one a second lets single webhooks of a bundle go', async () => {
  await channel('slow', { rateLimit: { limit: 1, per: 'second' } });
  const [id] = await send('slow', 4);
  await eventually(() => expect(arrivals.length).toBeGreaterThanOrEqual(2));
  expect(mostWithin(900)).toBe(1);
  // What waits in a lane has no job, and is found all the same.
  const ids = await send('slow', 1);
  await eventually(async () =>
    expect(await webhooks.find(ids[0] as string)).toMatchObject({
      state: 'pending',
      messageId: 'm-0',
      attempts: [],
    }),
  );
  await eventually(async () => expect((await webhooks.find(id as string))?.state).toBe('delivered'));
  await eventually(() => expect(delivered()).toHaveLength(5));
});

test("a channel's concurrency holds over all workers", async () => {
  await channel('narrow', { concurrencyLimit: 8 });
  let inFlight = 0;
  let most = 0;
  answer = () => {
    inFlight += 1;
    most = Math.max(most, inFlight);
    setTimeout(() => {
      inFlight -= 1;
    }, 20);
    return { status: 200, delayMs: 20 };
  };
  await send('narrow', 200);
  await eventually(() => expect(delivered()).toHaveLength(200), { timeoutMs: 15_000 });
  expect(most).toBeLessThanOrEqual(8);
  expect(most).toBeGreaterThanOrEqual(6);
  expect(receiver.ledger).toHaveLength(200);
});

test('a destination that hangs does not delay the others, however much waits for it', async () => {
  await channel('hangs', { retry: { delaysMs: [], jitter: 0 } });
  await channel('answers');
  answer = (path) => (path === '/hangs' ? 'hang' : { status: 200 });
  await send('hangs', 1_000, 'stuck');
  await eventually(() => expect(arrivals.length).toBeGreaterThan(50));
  const startedAt = performance.now();
  await send('answers', 100, 'quick');
  await eventually(() => expect(delivered()).toHaveLength(100));
  // The attempts that hang take a second each here; a thousand of them would take ten.
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test('a circuit opens on sustained failure, probes alone, and closes; nothing is lost and no attempts are used up', async () => {
  await channel('falls', {
    retry: { delaysMs: [1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000], jitter: 0 },
  });
  let isUp = false;
  answer = () => ({ status: isUp ? 200 : 503 });
  // Not all at once: failures must last for a while.
  const sending = setInterval(() => void send('falls', 10), 200);
  await eventually(() => expect(workers.flatMap(({ circuitChanges }) => circuitChanges)).toHaveLength(1), {
    timeoutMs: 15_000,
  });
  clearInterval(sending);
  expect(workers.flatMap(({ circuitChanges }) => circuitChanges)).toEqual(['channel:falls open http_5xx']);
  // What is under way ends; then nothing comes but a probe.
  await send('falls', 25);
  const before = arrivals.length;
  await eventually(async () => expect((await circuits.get('channel:falls'))?.state).toBe('open'));
  isUp = true;
  await eventually(
    () =>
      expect(workers.flatMap(({ circuitChanges }) => circuitChanges)).toContain(
        'channel:falls closed delivered',
      ),
    { timeoutMs: 15_000 },
  );
  expect(arrivals.length).toBeGreaterThan(before);
  const accepted = new Set(outcomes().map(({ webhookId }) => webhookId));
  await eventually(() => expect(delivered().length).toBeGreaterThanOrEqual(accepted.size), {
    timeoutMs: 15_000,
  });
  expect(outcomes().filter(({ final, event }) => final && event !== 'webhook.delivered')).toEqual([]);
  expect(new Set(delivered().map(({ webhookId }) => webhookId)).size).toBe(delivered().length);
}, 60_000);

test('a paused campaign waits, and the others are sent meanwhile; resumed, it is sent whole', async () => {
  await channel('shared');
  const lane = campaignLane('held');
  await circuits.set(lane, { state: 'paused', sinceMs: Date.now(), why: 'operator' });
  // Every worker knows it after a second at most.
  await sleep(1_200);
  const ids = await send('shared', 100, 'held');
  await send('shared', 100, 'free');
  await eventually(() =>
    expect(delivered().filter(({ campaignId }) => campaignId === 'free')).toHaveLength(100),
  );
  expect(delivered()).toHaveLength(100);
  await circuits.set(lane, undefined);
  for (const id of ids)
    await eventually(async () => expect((await webhooks.find(id))?.state).toBe('delivered'), {
      timeoutMs: 15_000,
    });
});

test("a campaign's rate holds over all workers, and over its channels", async () => {
  await channel('one');
  await channel('other', { rateLimit: { limit: 1_000, per: 'second' } });
  await openCampaignControls({ connection, prefix }).put('gentle', {
    rateLimit: { limit: 100, per: 'second', burst: 20 },
  });
  // Every worker knows it after a second at most.
  await sleep(1_200);
  await send('one', 110, 'gentle');
  await send('other', 110, 'gentle');
  await eventually(() => expect(delivered()).toHaveLength(220), { timeoutMs: 15_000 });
  expect(mostWithin(1_000)).toBeLessThanOrEqual(145);
  expect(receiver.ledger).toHaveLength(220);
});

test('410 pauses the channel; what waits is sent when it is resumed', async () => {
  await channel('moved');
  answer = () => ({ status: 410 });
  await send('moved', 1);
  await eventually(async () => expect((await circuits.get('channel:moved'))?.state).toBe('paused'));
  answer = () => ({ status: 200 });
  // Every worker has seen it after a second at most: until then some may be sent.
  await eventually(async () => {
    const [id] = await send('moved', 1);
    await eventually(async () => expect((await webhooks.find(id as string))?.state).toBe('pending'), {
      timeoutMs: 300,
    });
    const before = arrivals.length;
    await send('moved', 30);
    const quick = await webhooks.enqueue([
      { campaignId: 'after', messageId: 'm', destination: { url: `${receiver.url}/after` }, body: '{}' },
    ]);
    await eventually(async () => expect((await webhooks.find(quick[0] as string))?.state).toBe('delivered'));
    expect(arrivals.filter(({ path }) => path === '/moved').length).toBeLessThanOrEqual(before);
  });
  const seen = await circuits.get('channel:moved');
  expect(await circuits.change(laneOf('moved', ''), seen, undefined)).toBe(true);
  await eventually(() => {
    const ids = new Set(arrivals.filter(({ path }) => path === '/moved'));
    expect(ids.size).toBe(receiver.ledger.filter(({ request }) => request.path === '/moved').length);
    expect(
      delivered().filter(({ channelConfigId }) => channelConfigId === 'moved').length,
    ).toBeGreaterThanOrEqual(31);
  });
});

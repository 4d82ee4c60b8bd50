/**
 * Webhooks that may not be sent now: limits, neighbours, circuits. Two workers: what holds, holds for a fleet.
 * Takes about 13 s.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, afterEach, expect, test } from '@jest/globals';
import type { Channel, Results } from '@hookfleet/contract';
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
let answer: (path: string, body: string) => Answer;
/** The paths of all requests, in their order. */
let arrivals: string[];
/** By the clock of circuits, which the tests move. */
let circuitMs: number;
let prefixes = 0;

const MINUTE_MS = 60_000;

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
  circuitMs = Date.now();
  answer = () => ({ status: 200 });
  receiver = await startReceiver(({ path, body }) => {
    arrivals.push(path);
    return answer(path, body.toString());
  });
  webhooks = openProducer(connection, { prefix });
  circuits = openCircuits({ connection, prefix });
  // No attempt ends by its timeout here: whatever waits for one that hangs, waits for ever.
  const options = { prefix, attemptTimeoutMs: 600_000, circuitClock: () => circuitMs };
  workers = await Promise.all([startWorker(redis.url, options), startWorker(redis.url, options)]);
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
      body: String(i),
    })),
  );
}

const outcomes = () => workers.flatMap((worker) => worker.outcomes);
const delivered = () => outcomes().filter(({ event }) => event === 'webhook.delivered');
const arrivedAt = (path: string) => arrivals.filter((one) => one === path).length;
const circuitChanges = () => workers.flatMap((worker) => worker.circuitChanges);

/** Resolves when each worker knows all circuits and controls as they are now. */
async function allLooked(): Promise<void> {
  await Promise.all(workers.map((worker) => worker.looked()));
}

/** Sends one webhook that nothing holds up, and waits for its delivery: whatever could go before it, went. */
async function sendOther(): Promise<void> {
  const destination = { url: `${receiver.url}/other-destination` };
  const [id = ''] = await webhooks.enqueue([
    { campaignId: 'other', messageId: 'm', destination, body: '{}' },
  ]);
  await eventually(async () => expect((await webhooks.find(id))?.state).toBe('delivered'));
}

const lookAtNow = (lane: string) => connection.zadd(`{${prefix}}:waits`, 0, lane);

/** Moves the lane's rate on, as if that many minutes had passed, and waits until a worker has released what may go. */
async function passMinutes(lane: string, minutes: number): Promise<void> {
  await connection.hincrbyfloat(`{${prefix}}:waits:${lane}:state`, 'tat', -minutes * MINUTE_MS);
  await lookAtNow(lane);
  // A worker that looks claims the lane for a second; one that released until the limit notes the minute after.
  const soonMs = Date.now() + MINUTE_MS / 3;
  await eventually(async () =>
    expect(Number(await connection.zscore(`{${prefix}}:waits`, lane))).toBeGreaterThan(soonMs),
  );
}

/** A destination that answers when it is told to. */
async function startHolding() {
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.resume();
    held.push(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    held,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

test("a channel's rate holds over all workers, and is used to the full", async () => {
  await channel('limited', { rateLimit: { limit: 1, per: 'minute', burst: 20 } });
  await send('limited', 60);
  await eventually(() => expect(delivered()).toHaveLength(20));
  await passMinutes('channel:limited', 0);
  await sendOther();
  expect(arrivedAt('/limited')).toBe(20);
  await passMinutes('channel:limited', 15);
  await eventually(() => expect(arrivedAt('/limited')).toBe(35));
  await sendOther();
  expect(arrivedAt('/limited')).toBe(35);
  await eventually(() => expect(delivered()).toHaveLength(37));
});

test('a rate below the size of a bundle lets single webhooks of it go; the others are found pending', async () => {
  await channel('slow', { rateLimit: { limit: 1, per: 'minute' } });
  const ids = await send('slow', 3);
  await eventually(() => expect(delivered()).toHaveLength(1));
  await passMinutes('channel:slow', 0);
  await sendOther();
  expect(arrivedAt('/slow')).toBe(1);
  const found = await Promise.all(ids.map((id) => webhooks.find(id)));
  expect(found.map((webhook) => webhook?.state).sort()).toEqual(['delivered', 'pending', 'pending']);
  expect(found.find((webhook) => webhook?.state === 'pending')?.attempts).toEqual([]);
  await passMinutes('channel:slow', 1);
  await eventually(() => expect(arrivedAt('/slow')).toBe(2));
  await sendOther();
  expect(arrivedAt('/slow')).toBe(2);
  // Those that were sent are not reported again each time the others are looked at.
  const results = `{${prefix}:0}:results`;
  const jobs = await connection.lrange(`${results}:wait`, 0, '-1');
  const texts = await Promise.all(jobs.map((id) => connection.hget(`${results}:${id}`, 'data')));
  const reported = texts.flatMap((text) => (JSON.parse(text ?? '{}') as Partial<Results>).outcomes ?? []);
  const slow = reported.filter(({ channelConfigId }) => channelConfigId === 'slow');
  expect(slow.length).toBeGreaterThan(0);
  expect(new Set(slow.map(({ webhookId }) => webhookId)).size).toBe(slow.length);
});

test("a channel's concurrency holds over all workers, and is used to the full", async () => {
  const holding = await startHolding();
  await channel('narrow', { concurrencyLimit: 8, url: holding.url });
  const ids = [...(await send('narrow', 24)), ...(await send('narrow', 24))];
  let answered = 0;
  while (answered < ids.length) {
    const inFlight = Math.min(8, ids.length - answered);
    await eventually(() => expect(holding.held.length).toBe(inFlight));
    await sendOther();
    expect(holding.held.length).toBe(inFlight);
    for (const response of holding.held.splice(0)) response.end();
    answered += inFlight;
  }
  await eventually(async () => {
    for (const id of ids) expect((await webhooks.find(id))?.state).toBe('delivered');
  });
  await holding.close();
});

test('a destination that hangs does not delay the others, however much waits for it', async () => {
  const holding = await startHolding();
  await channel('hangs', { url: holding.url, retry: { delaysMs: [], jitter: 0 } });
  await channel('answers');
  await send('hangs', 300, 'stuck');
  await eventually(() => expect(holding.held.length).toBeGreaterThan(50));
  await send('answers', 100, 'quick');
  await eventually(() => expect(delivered()).toHaveLength(100));
  // Not one of those that hang has ended meanwhile.
  expect(outcomes()).toHaveLength(100);
  await holding.close();
});

test('a destination that asks for a minute with 429 is probed by no worker before it is over', async () => {
  await channel('asks');
  let isUp = false;
  answer = (path) => {
    if (path !== '/asks' || isUp) return { status: 200 };
    if (circuitChanges().length === 0) circuitMs += 300;
    return { status: 429, headers: { 'retry-after': '60' } };
  };
  await send('asks', 100);
  await eventually(() => expect(circuitChanges()).toEqual(['channel:asks open http_4xx']));
  await allLooked();
  await eventually(() => expect(outcomes()).toHaveLength(arrivals.length));
  const before = arrivals.length;
  const [id = ''] = await send('asks', 1);
  // First by the answers that opened the circuit, then by the first probe's, which is refused too.
  for (const probes of [0, 1]) {
    const circuit = await eventually(async () => {
      const found = await circuits.get('channel:asks');
      if (found?.state !== 'open') throw new Error('the circuit is not open');
      expect(found.probeAtMs - circuitMs).toBeGreaterThan(50_000);
      return found;
    });
    expect(circuit.probeAtMs - circuitMs).toBeLessThanOrEqual(60_000);
    await lookAtNow('channel:asks');
    await sendOther();
    expect(arrivedAt('/asks')).toBe(before + probes);
    isUp = probes === 1;
    // The minute is over.
    circuitMs += 60_000;
    await circuits.set('channel:asks', { ...circuit, probeAtMs: 1 });
    await eventually(async () => {
      await lookAtNow('channel:asks');
      expect(arrivedAt('/asks')).toBeGreaterThan(before + probes);
    });
  }
  await eventually(async () => {
    await lookAtNow('channel:asks');
    expect((await webhooks.find(id))?.state).toBe('delivered');
  });
});

test('a circuit opens on sustained failure, probes alone, and closes; nothing is lost and no attempts are used up', async () => {
  await channel('falls');
  let isUp = false;
  answer = (path) => {
    if (path !== '/falls') return { status: 200 };
    // Failures must last for a while: time passes with each, until the circuit is open.
    if (circuitChanges().length === 0) circuitMs += 300;
    return { status: isUp ? 200 : 503 };
  };
  const ids = await send('falls', 100);
  await eventually(() => expect(circuitChanges()).toHaveLength(1));
  expect(circuitChanges()).toEqual(['channel:falls open http_5xx']);
  // Once every worker has seen it and what is under way has ended, nothing comes but a probe.
  await allLooked();
  await eventually(() => expect(outcomes()).toHaveLength(arrivals.length));
  const before = arrivals.length;
  ids.push(...(await send('falls', 25)));
  isUp = true;
  await sendOther();
  expect(arrivedAt('/falls')).toBe(before);
  expect((await circuits.get('channel:falls'))?.state).toBe('open');
  circuitMs += 2_500;
  await lookAtNow('channel:falls');
  await eventually(() => expect(circuitChanges()).toContain('channel:falls closed delivered'));
  expect(arrivedAt('/falls')).toBeGreaterThan(before);
  await eventually(async () => {
    await lookAtNow('channel:falls');
    const found = await Promise.all(ids.map((id) => webhooks.find(id)));
    expect(found.filter((webhook) => webhook?.state !== 'delivered')).toEqual([]);
  });
  expect(outcomes().filter(({ final, event }) => final && event !== 'webhook.delivered')).toEqual([]);
  expect(new Set(delivered().map(({ webhookId }) => webhookId)).size).toBe(delivered().length);
});

test('webhooks that never succeed do not hold back the others, however often they are retried', async () => {
  await channel('picky');
  const isRefused = (body: string) => Number(body) % 10 === 0;
  answer = (_path, body) => {
    // Each refusal takes long enough for a circuit to open by the next ones.
    if (isRefused(body)) circuitMs += 300;
    return { status: isRefused(body) ? 500 : 200 };
  };
  await send('picky', 100);
  await eventually(() => expect(outcomes().filter(({ final }) => final)).toHaveLength(100));
  expect(delivered()).toHaveLength(90);
  // Eight attempts of each of the ten others, most of them in a row.
  expect(outcomes()).toHaveLength(90 + 80);
  expect(circuitChanges()).toEqual([]);
});

test('a paused campaign waits, and the others are sent meanwhile; resumed, it is sent whole', async () => {
  await channel('shared');
  const lane = campaignLane('held');
  await circuits.set(lane, { state: 'paused', sinceMs: Date.now(), why: 'operator' });
  await allLooked();
  const ids = await send('shared', 100, 'held');
  await send('shared', 100, 'free');
  await eventually(() =>
    expect(delivered().filter(({ campaignId }) => campaignId === 'free')).toHaveLength(100),
  );
  expect(delivered()).toHaveLength(100);
  await circuits.set(lane, undefined);
  for (const id of ids)
    await eventually(async () => expect((await webhooks.find(id))?.state).toBe('delivered'));
});

test("a campaign's rate holds over all workers, and over its channels", async () => {
  await channel('one');
  await channel('another', { rateLimit: { limit: 1_000, per: 'second' } });
  await openCampaignControls({ connection, prefix }).set('gentle', {
    rateLimit: { limit: 1, per: 'minute', burst: 20 },
  });
  await allLooked();
  await send('one', 30, 'gentle');
  await send('another', 30, 'gentle');
  const sent = () => arrivedAt('/one') + arrivedAt('/another');
  const lane = campaignLane('gentle');
  await eventually(() => expect(sent()).toBe(20));
  await passMinutes(lane, 0);
  await sendOther();
  expect(sent()).toBe(20);
  await passMinutes(lane, 15);
  await eventually(() => expect(sent()).toBe(35));
  await sendOther();
  expect(sent()).toBe(35);
});

test('410 pauses the channel; what waits is sent when it is resumed', async () => {
  await channel('moved');
  answer = (path) => ({ status: path === '/moved' ? 410 : 200 });
  await send('moved', 1);
  await eventually(async () => expect((await circuits.get('channel:moved'))?.state).toBe('paused'));
  answer = () => ({ status: 200 });
  await allLooked();
  await send('moved', 31);
  await sendOther();
  expect(arrivedAt('/moved')).toBe(1);
  const seen = await circuits.get('channel:moved');
  expect(await circuits.change(laneOf('moved', ''), seen, undefined)).toBe(true);
  await eventually(() =>
    expect(delivered().filter(({ channelConfigId }) => channelConfigId === 'moved')).toHaveLength(31),
  );
  expect(arrivedAt('/moved')).toBe(32);
});

/** What the queues hold, as metrics and scaling see it. Takes about 2 s. */
import { WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import { attemptsCounterKey, shardPrefix } from '../src/keys.ts';
import {
  campaignLane,
  createQueueMonitor,
  createSecretBox,
  disconnectRedis,
  laneJobOf,
  laneOf,
  openCircuits,
  openLanes,
  openWebhooksOut,
  openKnownControls,
} from '../src/index.ts';
import { bundleOf, connect, webhook } from './setup-queue.ts';

test('jobs, their age, and the time to drain them, counted in webhooks and over all shards', async () => {
  const redis = await startTestRedis();
  const connection = connect(redis.url);
  const shards = { connection, prefix: 'test', shards: 2 };
  // The clock stands, unless the test moves it.
  const startMs = Date.now();
  let skewMs = 0;
  const monitor = createQueueMonitor(shards, () => startMs + skewMs);
  expect(await monitor.sample()).toMatchObject({ backlogSeconds: 0, attemptsPerSecond: 0, atRest: true });

  const out = openWebhooksOut({
    ...shards,
    bundleSize: 10,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    controls: openKnownControls({ ...shards, onError: () => undefined }),
    onError: () => undefined,
  });
  await out.enqueue(Array.from({ length: 400 }, () => webhook()));
  await out.enqueue([webhook({ deliverAtMs: Date.now() + 3_600_000 })]);
  const jobs = async (queue: string, state: string) =>
    (await monitor.sample()).queues.find((one) => one.queue === queue && one.state === state)?.jobs;
  expect([await jobs('webhooks', 'waiting'), await jobs('webhooks', 'delayed')]).toEqual([40, 1]);
  const [first = 0, second = 0, ...others] = await monitor.waitingJobs(WEBHOOKS_QUEUE);
  expect([first + second, others]).toEqual([40, []]);

  // Where nothing is attempted at all, the backlog is as long as its oldest has waited.
  skewMs = 60_000;
  const idle = await monitor.sample();
  expect(idle.atRest).toBe(false);
  expect(idle.oldestSeconds.find(({ queue }) => queue === 'webhooks')?.seconds).toBeGreaterThan(59);
  expect(idle.backlogSeconds).toBeGreaterThan(59);

  // 100 attempts a second for a minute: the rate is near that, and 400 webhooks take about four seconds.
  await connection.incrby(attemptsCounterKey(shardPrefix('test', 1)), 6_000);
  skewMs += 60_000;
  const busy = await monitor.sample();
  expect(busy.attemptsPerSecond).toBeGreaterThan(80);
  expect(busy.attemptsPerSecond).toBeLessThan(101);
  expect(busy.backlogSeconds).toBeGreaterThan(3.9);
  expect(busy.backlogSeconds).toBeLessThan(5);

  await out.close();
  await monitor.close();
  disconnectRedis(connection);
  await redis.stop();
});

test('the backlog leaves out what no worker could send: behind a circuit, or held by its campaign', async () => {
  const redis = await startTestRedis({ extraArguments: ['--maxmemory', '50000000'] });
  const connection = connect(redis.url);
  const shards = { connection, prefix: 'test', shards: 1 };
  // The clock stands, unless the test moves it.
  const startMs = Date.now();
  let skewMs = 0;
  const monitor = createQueueMonitor(shards, () => startMs + skewMs);
  const lanes = openLanes({ ...shards, permitMs: 60_000, workerId: 'w' });
  const circuits = openCircuits(shards);
  const [busy, failing, paused] = ['1', '2', '3'].map((id) => laneOf(id, 'http://x.test')) as string[];
  for (const [lane, webhooks] of [
    [busy, 100],
    [failing, 20],
    [paused, 30],
    [campaignLane('held'), 40],
  ] as const) {
    const bundle = bundleOf(webhooks, { run: `run${webhooks}` });
    const job = laneJobOf(0, bundle.run, bundle, bundle.webhooks);
    const isCampaign = lane === campaignLane('held');
    await lanes.wait(
      { campaign: campaignLane('held'), destination: isCampaign ? 'channel:other' : (lane as string) },
      { lane: lane as string, reason: isCampaign ? 'rate' : 'busy', lookInMs: 60_000 },
      job,
    );
  }
  const sinceMs = Date.now();
  await circuits.set(failing as string, {
    state: 'open',
    sinceMs,
    why: 'timeout',
    probeAtMs: 0,
    cooldownMs: 1,
  });
  await circuits.set(paused as string, { state: 'paused', sinceMs, why: 'operator' });

  await monitor.sample();
  await connection.incrby(attemptsCounterKey('{test:0}'), 6_000);
  skewMs = 60_000;
  const sample = await monitor.sample();
  expect(sample.parkedWebhooks).toBe(190);
  expect(Object.fromEntries([...sample.held].map(([reason, { webhooks }]) => [reason, webhooks]))).toEqual({
    busy: 100,
    circuit: 20,
    paused: 30,
    rate: 40,
    scheduled: 0,
    retry: 0,
    batch: 0,
  });
  // They came after the test's clock was stopped, and before the circuits were set. Redis rounds to a millisecond.
  expect(sample.parkedOldestSeconds).toBeLessThanOrEqual(60);
  expect(sample.parkedOldestSeconds).toBeGreaterThanOrEqual(60 - (sinceMs + 1 - startMs) / 1000);
  expect(sample.backlogSeconds * sample.attemptsPerSecond).toBeCloseTo(100);
  expect(sample.circuits).toEqual([
    { state: 'open', lanes: 1 },
    { state: 'paused', lanes: 1 },
  ]);
  expect(sample.redisMemory).toEqual([
    {
      node: `127.0.0.1:${redis.port}`,
      usedBytes: expect.any(Number),
      limitBytes: 50_000_000,
      evicts: false,
    },
  ]);
  // Somebody changes it while the fleet runs.
  await connection.config('SET', 'maxmemory-policy', 'allkeys-lru');
  expect((await monitor.sample()).redisMemory).toMatchObject([{ evicts: true }]);

  await lanes.close();
  await monitor.close();
  disconnectRedis(connection);
  await redis.stop();
});

test('after a quiet hour the first webhooks show how fast the fleet is, not how quiet the hour was', async () => {
  const redis = await startTestRedis();
  const connection = connect(redis.url);
  const shards = { connection, prefix: 'test', shards: 1 };
  // The clock stands, unless the test moves it.
  const startMs = Date.now();
  let skewMs = 0;
  const monitor = createQueueMonitor(shards, () => startMs + skewMs);
  for (; skewMs < 3_600_000; skewMs += 600_000) await monitor.sample();

  const out = openWebhooksOut({
    ...shards,
    bundleSize: 10,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    controls: openKnownControls({ ...shards, onError: () => undefined }),
    onError: () => undefined,
  });
  await out.enqueue(Array.from({ length: 400 }, () => webhook()));
  await monitor.sample();
  await connection.incrby(attemptsCounterKey('{test:0}'), 500);
  skewMs += 5_000;
  const { attemptsPerSecond, backlogSeconds } = await monitor.sample();
  expect(attemptsPerSecond).toBeGreaterThan(90);
  expect(backlogSeconds).toBeLessThan(4.5);

  await out.close();
  await monitor.close();
  disconnectRedis(connection);
  await redis.stop();
});

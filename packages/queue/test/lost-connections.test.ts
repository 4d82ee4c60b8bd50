/**
 * Connections that are lost between two writes. Behind them may be another master by then, which was given the second
 * and not the first: what depends on the order is done again. Here the first is taken away by hand; the failover drill
 * has real masters that fail (apps/drills).
 * Takes about 2 s.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Bundle } from '@hookfleet/contract';
import { eventually, startTcpProxy, type TcpProxy } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import {
  type BundleRun,
  connectRedis,
  consumeResults,
  consumeWebhooks,
  createOutcomeRecorder,
  createSecretBox,
  defineScripts,
  disconnectRedis,
  joinShards,
  openBatches,
  openCircuits,
  openDeadLetters,
  openResultsOut,
  openWebhooksOut,
  type RedisConnection,
  readBundleLog,
  openKnownControls,
} from '../src/index.ts';
import { recordAttempts } from '../src/attempt-log.ts';
import { attemptLogKey, shardPrefix } from '../src/keys.ts';
import { backlogOf, BOUNCED, bundleOf, connect, outcomeOf, testServer, webhook } from './setup-queue.ts';

const server = testServer();
const BATCHING = { size: 3, maxWaitMs: 3_600_000 };
// A key that is named when a job is completed.
const THE_END = ':completed';
const TIMES = { lockDurationMs: 30_000, stalledIntervalMs: 30_000 };
let proxy: TcpProxy;
/** Through the proxy. */
let connection: RedisConnection;
let options: { connection: RedisConnection; prefix: string; shards: number };
let webhooks: Queue;

beforeEach(async () => {
  proxy = await startTcpProxy(server.redis);
  connection = connect(`redis://127.0.0.1:${proxy.port}`);
  await connection.ping();
  options = { connection, prefix: server.prefix, shards: 1 };
  webhooks = new Queue('webhooks', {
    connection: server.connection,
    prefix: shardPrefix(server.prefix, 0),
  });
});

afterEach(async () => {
  await webhooks.close();
  disconnectRedis(connection);
  await proxy.close();
});

async function loseConnection(): Promise<void> {
  const ready = new Promise((resolve) => connection.once('ready', resolve));
  proxy.cut();
  await ready;
}

function openOut(over: RedisConnection) {
  return openWebhooksOut({
    ...options,
    connection: over,
    bundleSize: 5,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    controls: openKnownControls({ ...options, connection: over, onError: () => undefined }),
    onError: () => undefined,
  });
}

/**
 * When what holds the text has been sent, the queue is emptied before its answer comes: as if it had come to a master that was
 * not given what was written before it. `isNoticed`: the connection tells that it was lost. A real loss would fail what is on
 * its way.
 */
function losesQueueOn(text: string, over: RedisConnection, isNoticed: boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  proxy.onRequest((piece) => {
    if (!piece.includes(text)) return true;
    proxy.onRequest(undefined);
    const goOn = proxy.stall();
    if (isNoticed) over.emit('close');
    webhooks.obliterate({ force: true }).then(resolve, reject).finally(goOn);
    return true;
  });
  return promise;
}

/** Runs the bundle twice. Resolves with the runs when nothing is left in the queue. */
async function runTwice(process: (run: BundleRun, nth: number) => Promise<void>): Promise<BundleRun[]> {
  const runs: BundleRun[] = [];
  const consumer = consumeWebhooks({
    ...options,
    ...TIMES,
    webhooksMax: 100,
    async process(run) {
      runs.push(run);
      await process(run, runs.length);
      return 'finished';
    },
    onDrained: () => undefined,
    onError: () => undefined,
  });
  try {
    await eventually(async () => {
      expect(runs).toHaveLength(2);
      expect(await webhooks.getJobCountByTypes('waiting', 'active', 'delayed')).toBe(0);
    });
  } finally {
    await consumer.stop();
  }
  return runs;
}

test('a bundle whose run has lost the connection is run again before it is finished', async () => {
  const out = openOut(server.connection);
  await out.enqueue([webhook()]);
  const runs = await runTwice(async (_run, nth) => {
    if (nth === 1) await loseConnection();
  });
  expect(runs.map(({ repeated }) => repeated)).toEqual([false, true]);
  await out.close();
});

test('a bundle whose end was sent twice, over two connections, is looked at again', async () => {
  const out = openOut(server.connection);
  await out.enqueue([webhook()]);
  const runs = await runTwice(async (_run, nth) => {
    if (nth === 1) void proxy.loseReplyAfter(THE_END);
  });
  expect(runs.map(({ data }) => (data as Bundle).recheck)).toEqual([undefined, true]);
  await out.close();
});

test('a bundle whose end is in doubt is looked at again, however long Redis takes no writes then', async () => {
  const admin = server.connection;
  const setReplicas = (count: string) => admin.config('SET', 'min-replicas-to-write', count);
  const refusals = async () => {
    const [, count = '0'] = /NOREPLICAS:count=(\d+)/.exec(await admin.info('errorstats')) ?? [];
    return Number(count);
  };
  const out = openOut(admin);
  await out.enqueue([webhook()]);
  let refused: Promise<unknown> = Promise.resolve();
  await runTwice(async (_run, nth) => {
    if (nth > 1) return;
    refused = proxy
      .loseReplyAfter(THE_END)
      .then(() => setReplicas('1'))
      .then(() => eventually(async () => expect(await refusals()).toBeGreaterThan(1)))
      .then(() => setReplicas('0'));
  });
  await refused;
  await out.close();
});

test('what was logged over a connection that is lost since is logged once more before it is reported', async () => {
  const recorder = createOutcomeRecorder({
    ...options,
    backlog: backlogOf(connection, server.prefix),
    controls: openKnownControls({ ...options, onError: () => undefined }),
    retention: { attemptsMs: 3_600_000, deadLettersMs: 3_600_000 },
    onError: () => undefined,
  });
  const bundle = bundleOf(1);
  const [only] = bundle.webhooks as [(typeof bundle.webhooks)[0]];
  const { reported } = await recorder.record(0, bundle, only, {
    outcome: outcomeOf(bundle, only),
    nextAttemptAtMs: undefined,
  });
  await server.connection.del(attemptLogKey(shardPrefix(server.prefix, 0), bundle.run, bundle.first));
  await loseConnection();
  await reported;
  const log = await readBundleLog(server.connection, shardPrefix(server.prefix, 0), bundle);
  expect(log.attempts.get(0)).toHaveLength(1);
  await recorder.close();
});

test('results that were applied over a connection that is lost are applied again', async () => {
  const out = openResultsOut({ ...options, connection: server.connection });
  const bundle = bundleOf(1);
  await out.add(0, { outcomes: bundle.webhooks.map((one) => outcomeOf(bundle, one)) });
  let applied = 0;
  const consumer = consumeResults({
    ...options,
    ...TIMES,
    concurrency: 1,
    onError: () => undefined,
    async apply() {
      applied += 1;
      if (applied === 1) await loseConnection();
    },
  });
  await eventually(() => expect(applied).toBe(2));
  await consumer.stop();
  await out.close();
});

test('a call that loses the connection between its writes makes them again, under the same ids', async () => {
  const failFast = connectRedis({
    url: `redis://127.0.0.1:${proxy.port}`,
    name: 'out',
    temper: 'failFast',
    onError: () => undefined,
  });
  await eventually(() => failFast.ping());
  const out = openOut(failFast);
  // The bundle is there, and its acceptance is on its way.
  const emptied = losesQueueOn('acceptances', failFast, true);
  const [id] = await out.enqueue([webhook({ idempotencyKey: 'k' })]);
  await emptied;
  expect(await webhooks.getWaitingCount()).toBe(1);
  expect(await out.enqueue([webhook({ idempotencyKey: 'k' })])).toEqual([id]);
  expect(await webhooks.getWaitingCount()).toBe(1);
  await out.close();
  disconnectRedis(failFast);
});

test('an idempotency key stands for a webhook that is there: it is not committed on a master that has no such job', async () => {
  const out = openOut(connection);
  const emptied = losesQueueOn('acceptances', connection, false);
  const [id] = await out.enqueue([webhook({ idempotencyKey: 'k' })]);
  await emptied;
  expect(await webhooks.getWaitingCount()).toBe(0);
  // The caller was not told that it is kept, and makes the call again.
  expect(await out.enqueue([webhook({ idempotencyKey: 'k' })])).toEqual([id]);
  expect(await webhooks.getWaitingCount()).toBe(1);
  await out.close();
});

test('a batch is added again if its lot was settled over another connection than it was added over', async () => {
  const batches = openBatches({
    ...options,
    retentionMs: 3_600_000,
    leaseMs: 60_000,
    settingsOf: async () => ({ batching: BATCHING, isCancelled: false, controlsVersion: 0 }),
  });
  const bundle = bundleOf(BATCHING.size, { channelConfigId: '31' });
  const ofOneMessage = bundle.webhooks.map((one) => ({ ...one, messageId: 'm' }));
  const [gathered] = await batches.gather(0, bundle, ofOneMessage, BATCHING);
  if (gathered === undefined) throw new Error('nothing was gathered');
  // The script's own words: it is sent for the first time.
  const emptied = losesQueueOn("'DECRBY', KEYS[7]", connection, true);
  await batches.send(gathered.lot);
  await emptied;
  expect(await webhooks.getWaitingCount()).toBe(1);
  await batches.close();
});

test('a replay is added again if it was noted over another connection than it was added over', async () => {
  defineScripts(connection);
  const bundle = bundleOf(1);
  const [only] = bundle.webhooks as [(typeof bundle.webhooks)[0]];
  const dead = { outcome: outcomeOf(bundle, only, { ...BOUNCED, final: true }), nextAttemptAtMs: undefined };
  const retention = { attemptsMs: 3_600_000, deadLettersMs: 3_600_000 };
  await recordAttempts(
    connection,
    shardPrefix(server.prefix, 0),
    [{ bundle, webhook: only, ...dead }],
    retention,
  );
  const deadLetters = openDeadLetters({
    ...options,
    controls: openKnownControls({ ...options, onError: () => undefined }),
  });
  const emptied = losesQueueOn('0.replay', connection, true);
  expect(await deadLetters.replay(dead.outcome.webhookId)).toBe('replayed');
  await emptied;
  expect(await webhooks.getJobCountByTypes('waiting', 'prioritized')).toBe(1);
  await deadLetters.close();
});

test('all controls are read again: a change that is known here may be unknown to the master that took over', async () => {
  const known = openKnownControls({ ...options, onError: () => undefined });
  const circuits = openCircuits({ connection: server.connection, prefix: server.prefix });
  await circuits.set('channel:a', { state: 'paused', sinceMs: 1, why: 'operator' });
  await known.untilLatest();
  await server.connection.hdel(`{${server.prefix}}:circuits`, 'channel:a');
  // Changes go on, and it is in none of them.
  await circuits.set('channel:b', { state: 'paused', sinceMs: 1, why: 'operator' });
  await known.untilLatest();
  expect(known.circuitOf('channel:a')).toBeDefined();
  await loseConnection();
  await known.untilLatest();
  expect(known.circuitOf('channel:a')).toBeUndefined();
  expect(known.circuitOf('channel:b')).toBeDefined();
});

test('the number of shards is told again', async () => {
  const key = `{${server.prefix}}:settings`;
  const joined = await joinShards({
    ...options,
    shards: 6,
    onMore: () => undefined,
    onError: () => undefined,
    lookEveryMs: 10,
  });
  await server.connection.del(key);
  await loseConnection();
  await eventually(async () => expect(await server.connection.zscore(key, 'shards')).toBe('6'));
  joined.stop();
});

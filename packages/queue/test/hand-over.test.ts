/**
 * In a cluster, what leaves one master for another is with that one's replica before it is removed from the first: whichever
 * of the two fails, it is on one. Takes about 8 s.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Bundle, Results } from '@hookfleet/contract';
import { eventually, startTestCluster, type TestCluster } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import {
  type Batches,
  consumeResults,
  createHandOverWait,
  disconnectRedis,
  openBatches,
  openResultsOut,
  type RedisConnection,
  type ReplicaWait,
} from '../src/index.ts';
import { gatheredKey, shardPrefix } from '../src/keys.ts';
import { shardTag, slotOf } from '../src/shard-tag.ts';
import { bundleOf, connect, outcomeOf } from './setup-queue.ts';

const MASTERS = 3;
// One on each master.
const options = { prefix: 'hookfleet', shards: MASTERS };
const BATCHING = { size: 50, maxWaitMs: 3_600_000 };

let cluster: TestCluster;
let connection: RedisConnection;
let handOverWait: ReplicaWait | undefined;
let batches: Batches;
let batching: typeof BATCHING | undefined;
const queues = Array.from({ length: MASTERS }, () => undefined as Queue | undefined);

beforeAll(async () => {
  cluster = await startTestCluster({ replicas: 1, nodeTimeoutMs: 60_000 });
  connection = connect(cluster.url);
  await eventually(() => connection.ping());
  handOverWait = createHandOverWait({ connection, replicas: 1, onError: () => undefined });
  batches = openBatches({
    ...options,
    connection,
    retentionMs: 3_600_000,
    leaseMs: 60_000,
    settingsOf: () => Promise.resolve({ batching, isCancelled: false, controlsVersion: 0 }),
    handOverWait,
  });
  for (let shard = 0; shard < MASTERS; shard += 1)
    queues[shard] = new Queue('webhooks', { connection, prefix: shardPrefix('hookfleet', shard) });
});

afterEach(() => {
  for (const node of cluster.nodes) node.resume();
});

afterAll(async () => {
  await Promise.all([batches.close(), ...queues.map((queue) => queue?.close())]);
  handOverWait?.close();
  disconnectRedis(connection);
  await cluster.stop();
});

function nodesOf(shard: number) {
  const master = Math.floor((slotOf(shardTag('hookfleet', shard)) * MASTERS) / 16_384);
  const [node, replica] = [cluster.nodes[master], cluster.nodes[master + MASTERS]];
  if (node === undefined || replica === undefined) throw new Error(`shard ${shard} has no master`);
  return { node, replica };
}

/** Resolves when that many more waits have begun on the shard's master, after what was done meanwhile. */
async function afterWaits(shard: number, waits: number, meanwhile: () => void): Promise<void> {
  const admin = new Redis(nodesOf(shard).node.url);
  const begun = async () => {
    const [, calls = '0'] = /cmdstat_wait:calls=(\d+)/.exec(await admin.info('commandstats')) ?? [];
    return Number(calls);
  };
  try {
    const before = await begun();
    meanwhile();
    await eventually(async () => expect(await begun()).toBeGreaterThanOrEqual(before + waits));
  } finally {
    admin.disconnect();
  }
}

let runs = 0;
/** Of a campaign whose lot lies on another master. */
async function bundleFromAbroad(): Promise<{ bundle: Bundle; shard: number; lotShard: number }> {
  for (;;) {
    runs += 1;
    const bundle = bundleOf(3, {
      campaignId: `c-${runs}`,
      run: runs.toString(16).padStart(12, '0'),
      channelConfigId: '31',
    });
    const webhooks = bundle.webhooks.map((webhook) => ({ ...webhook, messageId: 'm' }));
    // A replica that got no turn for half a second on a busy machine counts as one that lags.
    const [gathered] = await eventually(() => batches.gather(0, bundle, webhooks, BATCHING));
    if (gathered !== undefined && gathered.lot.shard !== 0)
      return { bundle: { ...bundle, webhooks }, shard: 0, lotShard: gathered.lot.shard };
  }
}

async function lotOf({ campaignId }: Bundle) {
  const heads = await Promise.all(
    (await batches.list()).map(async (lot) => ({
      lot,
      head: await connection.hget(`${shardPrefix('hookfleet', lot.shard)}:lot:${lot.name}:state`, 'head'),
    })),
  );
  const found = heads.find(({ head }) => head?.includes(`"${campaignId}"`));
  if (found === undefined) throw new Error(`${campaignId} has no lot`);
  return found.lot;
}

test('webhooks are in their lot when its replica has them', async () => {
  const { bundle, shard, lotShard } = await bundleFromAbroad();
  nodesOf(lotShard).replica.suspend();
  const gather = () => batches.gather(shard, bundle, bundle.webhooks, BATCHING);
  await expect(gather()).rejects.toThrow('NOREPLICAS');
  nodesOf(lotShard).replica.resume();
  await eventually(gather);
});

test('what stays on its master needs no replica', async () => {
  const { bundle, lotShard } = await bundleFromAbroad();
  nodesOf(lotShard).replica.suspend();
  await batches.gather(lotShard, bundle, bundle.webhooks, BATCHING);
});

/** Sends the lot while the replica of its webhooks' shard is held up, and looks; then without, and looks again. */
async function lookBesideSending(bundle: Bundle, shard: number, look: () => Promise<number>) {
  const lot = await lotOf(bundle);
  const { replica } = nodesOf(shard);
  replica.suspend();
  let sending: Promise<unknown> = Promise.resolve();
  // With the second wait, the first has failed.
  await afterWaits(shard, 2, () => {
    sending = batches.send(lot);
  });
  const heldUp = await look();
  replica.resume();
  await sending;
  return { heldUp, sent: await look() };
}

test('a batch goes when the replicas of its webhooks know which batch they are in', async () => {
  batching = { ...BATCHING, size: 3 };
  const { bundle, shard, lotShard } = await bundleFromAbroad();
  const inQueue = async () =>
    (await queues[lotShard]?.getJobCountByTypes('waiting', 'prioritized')) ?? Number.NaN;
  const before = await inQueue();
  expect(await lookBesideSending(bundle, shard, inQueue)).toEqual({ heldUp: before, sent: before + 1 });
});

test('webhooks that leave their lot one by one are gone from it when the replicas of their shards have them', async () => {
  const { bundle, shard, lotShard } = await bundleFromAbroad();
  batching = undefined;
  const gathered = async () => Number(await connection.get(gatheredKey(shardPrefix('hookfleet', lotShard))));
  const before = await gathered();
  expect(await lookBesideSending(bundle, shard, gathered)).toEqual({
    heldUp: before,
    sent: before - bundle.webhooks.length,
  });
});

test('results are counted when the replica has the attempts that they tell of', async () => {
  const applied: Results[] = [];
  const errors: string[] = [];
  const results = openResultsOut({ ...options, connection });
  const bundle = bundleOf(1);
  const [webhook] = bundle.webhooks;
  if (webhook === undefined) throw new Error('a bundle has a webhook');
  await results.add(1, { outcomes: [outcomeOf(bundle, webhook)] });
  nodesOf(1).replica.suspend();
  const consumer = consumeResults({
    ...options,
    connection,
    concurrency: 1,
    lockDurationMs: 30_000,
    stalledIntervalMs: 30_000,
    handOverWait,
    apply: async (some) => void applied.push(some),
    onError: ({ message }) => void errors.push(message),
  });
  await eventually(() => expect(errors).toContainEqual(expect.stringContaining('NOREPLICAS')));
  expect(applied).toEqual([]);
  nodesOf(1).replica.resume();
  await eventually(() => expect(applied).toHaveLength(1));
  await consumer.stop();
  await results.close();
});

/**
 * A master of a Redis Cluster that hangs and goes on: a connect() settles, and each shard is read
 * again. What broke: workers and aggregators never read the shards of that master again, with all signs green.
 * Takes about 35 s.
 */
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { eventually, startTestCluster, type TestCluster } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import type { Cluster } from 'ioredis';
import { shardPrefix } from '../src/keys.ts';
import {
  connectRedis,
  consumeResults,
  consumeWebhooks,
  disconnectRedis,
  openResultsOut,
  type RedisConnection,
} from '../src/index.ts';
import { bundleOf, outcomeOf } from './setup-queue.ts';

let cluster: TestCluster;
let connection: RedisConnection;

beforeAll(async () => {
  cluster = await startTestCluster({ nodeTimeoutMs: 1_000 });
});

afterEach(() => disconnectRedis(connection));

afterAll(() => cluster.stop());

function connect(): RedisConnection {
  connection = connectRedis({
    url: cluster.url,
    name: 'outage',
    temper: 'patient',
    onError: () => undefined,
  });
  return connection;
}

/** Resolves when the others have noticed. The function that it returns lets the master go on. */
async function hang(): Promise<() => Promise<void>> {
  const [master, ...others] = cluster.nodes;
  master?.suspend();
  await cluster.untilState('fail', others);
  return async () => {
    master?.resume();
    await cluster.untilState('ok', cluster.nodes);
  };
}

// BullMQ connects its blocking connection anew if a fetch has taken too long, and awaits that.
test.each(['a connection', 'its duplicate'])(
  'connect() of %s that is called while a master hangs settles when the master goes on',
  async (which) => {
    const first = connect();
    await eventually(() => first.ping());
    if (which === 'its duplicate') {
      connection = (first as Cluster).duplicate();
      disconnectRedis(first);
      connection.on('error', () => undefined);
      await eventually(() => connection.ping());
    }
    const goOn = await hang();
    const ended = once(connection, 'end');
    connection.disconnect();
    await ended;
    const connected = connection.connect();
    // It has found that the cluster has failed, and tries again.
    await once(connection, 'reconnecting');
    await goOn();
    await connected;
    expect(await connection.get('anything')).toBe(null);
  },
);

// In three of them, one lies on each master.
const SHARDS = [0, 1, 2];

function consume(prefix: string) {
  const options = { connection: connect(), prefix, shards: SHARDS.length };
  const limits = { lockDurationMs: 30_000, stalledIntervalMs: 500, onError: () => undefined };
  const [bundles, results] = [new Set<number>(), new Set<string>()];
  const webhooksIn = consumeWebhooks({
    ...options,
    ...limits,
    webhooksMax: 100,
    // A read of an empty queue ends soon.
    drainDelayS: 1,
    async process({ shard }) {
      bundles.add(shard);
      return 'finished';
    },
    onDrained: () => undefined,
  });
  const resultsIn = consumeResults({
    ...options,
    ...limits,
    concurrency: 2,
    async apply({ outcomes = [] }) {
      for (const { messageId } of outcomes) results.add(messageId);
    },
  });
  const readers = SHARDS.flatMap((shard) =>
    [webhooksIn, resultsIn].map((consumer) => () => Date.now() - consumer.readingSince(shard)),
  );
  return {
    bundles,
    results,
    /** For how long the read that takes longest has been under way, in milliseconds. */
    longestReadMs: () => Math.max(...readers.map((ms) => ms())),
    async enqueue() {
      const out = openResultsOut(options);
      const bundle = bundleOf(1);
      const [webhook] = bundle.webhooks as [(typeof bundle.webhooks)[number]];
      for (const shard of SHARDS) {
        const queue = new Queue(WEBHOOKS_QUEUE, { connection, prefix: shardPrefix(prefix, shard) });
        await queue.add('bundle', bundle);
        await queue.close();
        await out.add(shard, { outcomes: [outcomeOf(bundle, webhook, { messageId: `m-${shard}` })] });
      }
      await out.close();
    },
    nothingInHand: () => eventually(() => expect([webhooksIn.inHand(), resultsIn.active()]).toEqual([0, 0])),
    stop: () => Promise.all([webhooksIn.stop(), resultsIn.stop()]),
  };
}

/** Longer than any read takes, also of results: BullMQ gives one up a second after the five for which it blocks. */
const STUCK_MS = 10_000;

test('each shard is read again when its master goes on', async () => {
  const consumers = consume('read-again');
  await consumers.enqueue();
  const allAre = (size: number) =>
    eventually(() => expect([consumers.bundles.size, consumers.results.size]).toEqual([size, size]));
  await allAre(SHARDS.length);
  await consumers.nothingInHand();
  const goOn = await hang();
  await eventually(() => expect(consumers.longestReadMs()).toBeGreaterThan(STUCK_MS));
  await goOn();
  consumers.bundles.clear();
  consumers.results.clear();
  await consumers.enqueue();
  await allAre(SHARDS.length);
  await consumers.stop();
});

/**
 * A Redis behind an address that leads to another master from one moment on, as managed ones are: connections that stay
 * on the former master would be refused every write for good. Takes about 3 s.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  eventually,
  startTcpProxy,
  startTestCluster,
  startTestRedis,
  type TcpProxy,
} from '@hookfleet/testkit';
import { Redis } from 'ioredis';
import {
  checkRedis,
  checkWrites,
  connectRedis,
  consumeWebhooks,
  disconnectRedis,
  openKnownControls,
  openWebhooksOut,
  createSecretBox,
  type RedisConnection,
} from '../src/index.ts';
import { connect, webhook } from './setup-queue.ts';

let before: Awaited<ReturnType<typeof startTestRedis>>;
let after: Awaited<ReturnType<typeof startTestRedis>>;
let endpoint: TcpProxy;
const leadsTo = { port: 0 };

beforeEach(async () => {
  const atOnce = { extraArguments: ['--repl-diskless-sync-delay', '0'] };
  [before, after] = await Promise.all([startTestRedis(atOnce), startTestRedis(atOnce)]);
  leadsTo.port = before.port;
  endpoint = await startTcpProxy(leadsTo);
  await replicates(after, before);
});

afterEach(async () => {
  await endpoint.close();
  await Promise.all([before.stop(), after.stop()]);
});

type Server = { readonly url: string; readonly port: number };

async function replicates(replica: Server, master: Server): Promise<void> {
  const admin = new Redis(replica.url);
  await admin.replicaof('127.0.0.1', master.port);
  await eventually(async () => expect(await admin.info('replication')).toContain('master_link_status:up'));
  admin.disconnect();
}

/** The replica becomes the master, the master its replica, and new connections come to it. Those that are open stay. */
async function failOver(): Promise<void> {
  const admin = new Redis(after.url);
  await admin.replicaof('NO', 'ONE');
  admin.disconnect();
  leadsTo.port = after.port;
  await replicates(before, after);
}

const url = () => `redis://127.0.0.1:${endpoint.port}`;

test('connections of every role come to the new master, and webhooks go on', async () => {
  const connections: RedisConnection[] = [connect(url(), 'failFast'), connect(url())];
  const [forCalls, forWork] = connections as [RedisConnection, RedisConnection];
  const shards = { prefix: 'test', shards: 1 };
  const taken: string[] = [];
  const consumer = consumeWebhooks({
    ...shards,
    connection: forWork,
    webhooksMax: 10,
    lockDurationMs: 30_000,
    stalledIntervalMs: 30_000,
    async process({ jobId }) {
      taken.push(jobId);
      return 'finished';
    },
    onDrained: () => undefined,
    onError: () => undefined,
  });
  const out = openWebhooksOut({
    ...shards,
    connection: forCalls,
    bundleSize: 1,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    controls: openKnownControls({ prefix: 'test', connection: forCalls, onError: () => undefined }),
    onError: () => undefined,
  });
  try {
    await eventually(() => forCalls.ping());
    await out.enqueue([webhook()]);
    await eventually(() => expect(taken).toHaveLength(1));
    await failOver();
    // It blocks on the former master now, and other connections know nothing yet.
    await eventually(() => checkWrites({ ...shards, connection: forCalls }));
    await eventually(() => out.enqueue([webhook({ idempotencyKey: 'after' })]));
    await eventually(() => expect(taken).toHaveLength(2));
    for (const connection of connections)
      expect(await connection.info('replication')).toContain('role:master');
  } finally {
    await consumer.stop();
    await out.close();
    connections.forEach(disconnectRedis);
  }
});

test('a replica, and a Redis that is full, are not ready, though they answer', async () => {
  const full = await startTestRedis({ extraArguments: ['--maxmemory', '1'] });
  try {
    for (const [address, refusal] of [
      [after.url, /READONLY/],
      [full.url, /OOM/],
    ] as const) {
      const connection = connect(address, 'failFast');
      await eventually(() => connection.ping());
      await expect(checkWrites({ connection, prefix: 'test', shards: 2 })).rejects.toThrow(refusal);
      disconnectRedis(connection);
    }
  } finally {
    await full.stop();
  }
});

test('one node of a cluster is refused as a single Redis, and is taken with a comma', async () => {
  const cluster = await startTestCluster();
  const [node = ''] = cluster.url.split(',');
  const single = connect(node);
  const whole = connectRedis({ url: `${node},`, name: 'test', temper: 'failFast', onError: () => undefined });
  try {
    await expect(checkRedis(single)).rejects.toThrow(/node of a Redis Cluster/);
    await checkRedis(whole);
    await checkWrites({ connection: whole, prefix: 'test', shards: 6 });
  } finally {
    disconnectRedis(single);
    disconnectRedis(whole);
    await cluster.stop();
  }
});

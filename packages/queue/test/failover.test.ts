/**
 * A master of Redis that is killed, and its replica that takes its place: what asynchronous replication loses of what
 * was accepted, and what waiting for the replica keeps.
 * Takes about 20 s.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import {
  eventually,
  startTcpProxy,
  startTestCluster,
  startTestFailoverCluster,
  startTestRedis,
  type TcpProxy,
} from '@hookfleet/testkit';
import { Redis } from 'ioredis';
import {
  connectRedis,
  createReplicaWait,
  createSecretBox,
  disconnectRedis,
  isRedisUnavailable,
  openWebhooksOut,
  type RedisConnection,
  type ReplicaWait,
  type WebhooksOut,
  openKnownControls,
} from '../src/index.ts';
import { shardTag } from '../src/shard-tag.ts';
import { webhook } from './setup-queue.ts';

// One on each master of a cluster.
const KEYS = [0, 1, 2].map((shard) => `{${shardTag('hookfleet', shard)}}:key`);
const WEBHOOKS = Array.from({ length: 20 }, (_, i) => webhook({ idempotencyKey: String(i) }));

let master: Awaited<ReturnType<typeof startTestRedis>>;
let replica: Awaited<ReturnType<typeof startTestRedis>>;
/** Between the two. */
let link: TcpProxy;
const connections: RedisConnection[] = [];
const waits: ReplicaWait[] = [];
/** Between a client and the master. */
let clientLink: TcpProxy;

beforeEach(async () => {
  // A replica gets its first copy at once, and not when others may have come to share it.
  const atOnce = { extraArguments: ['--repl-diskless-sync-delay', '0'] };
  [master, replica] = await Promise.all([startTestRedis(atOnce), startTestRedis(atOnce)]);
  [link, clientLink] = await Promise.all([startTcpProxy(master), startTcpProxy(master)]);
  const admin = new Redis(replica.url);
  await admin.replicaof('127.0.0.1', link.port);
  await eventually(async () => expect(await admin.info('replication')).toContain('master_link_status:up'));
  admin.disconnect();
});

afterEach(async () => {
  for (const wait of waits.splice(0)) wait.close();
  for (const connection of connections.splice(0)) disconnectRedis(connection);
  await Promise.all([link.close(), clientLink.close()]);
  await Promise.all([master.stop(), replica.stop()]);
});

/** As a producer has it, unless the test says otherwise. */
async function connected(url: string, temper: 'failFast' | 'patient' = 'failFast'): Promise<RedisConnection> {
  const connection = connectRedis({ url, name: 'out', temper, onError: () => undefined });
  connections.push(connection);
  await eventually(() => connection.ping());
  return connection;
}

function waitOver(connection: RedisConnection, replicas: number): ReplicaWait {
  const wait = createReplicaWait({ connection, replicas, onError: () => undefined });
  if (wait === undefined) throw new Error('nothing is waited for');
  waits.push(wait);
  return wait;
}

/** A replica that got no turn for half a second on a busy machine counts as one that lags. */
async function untilKept(wait: ReplicaWait): Promise<void> {
  await eventually(() => wait.begin()(KEYS));
}

async function openOut(url: string, replicas: number): Promise<WebhooksOut> {
  const connection = await connected(url);
  const options = { connection, prefix: 'hookfleet', shards: 1 };
  return openWebhooksOut({
    ...options,
    bundleSize: 5,
    idempotencyRetentionMs: 60_000,
    untilReplicated: replicas === 0 ? undefined : waitOver(connection, replicas),
    secrets: createSecretBox([]),
    controls: openKnownControls({ ...options, onError: () => undefined }),
    onError: () => undefined,
  });
}

/** How many of the webhooks the replica knows, once the master is dead and it has taken over. */
async function keptByReplica(ids: readonly string[]): Promise<number> {
  await master.kill();
  // What is on its way dies with the link.
  link.cut();
  const admin = new Redis(replica.url);
  await admin.replicaof('NO', 'ONE');
  admin.disconnect();
  const out = await openOut(replica.url, 0);
  const found = await Promise.all(ids.map((id) => out.find(id)));
  await out.close();
  return found.filter((one) => one !== undefined).length;
}

test('without waiting, all is lost that a replica which lags had not got yet', async () => {
  const out = await openOut(master.url, 0);
  link.stall();
  const ids = await out.enqueue(WEBHOOKS);
  expect(await keptByReplica(ids)).toBe(0);
});

test('where replicas are waited for, a call is refused while they lag, and what was accepted is kept', async () => {
  const out = await openOut(master.url, 1);
  const goOn = link.stall();
  const refusal = await out.enqueue(WEBHOOKS).catch((error: Error) => error);
  // The replica lags still: no answer of its was waited for.
  expect(refusal).toBeInstanceOf(Error);
  expect(isRedisUnavailable(refusal as Error)).toBe(true);
  goOn();
  // The caller makes the call again, under the same keys.
  const ids = await eventually(() => out.enqueue(WEBHOOKS));
  expect(await keptByReplica(ids)).toBe(WEBHOOKS.length);
});

test('what was written over a connection that is lost before its replicas have answered is not told to be kept', async () => {
  const connection = await connected(`redis://127.0.0.1:${clientLink.port}`);
  const wait = waitOver(connection, 1);
  await untilKept(wait);
  const before = wait.begin();
  await connection.set('written', 'before');
  clientLink.cut();
  await eventually(() => connection.ping());
  await expect(before(KEYS)).rejects.toThrow('NOREPLICAS');
  await untilKept(wait);
});

test('in a cluster, the replicas of each shard are waited for', async () => {
  const cluster = await startTestCluster();
  try {
    // The wait ends at its own time, half a second: a producer's connection might give the command up before that on a
    // machine that is busy.
    const connection = await connected(cluster.url, 'patient');
    const wait = waitOver(connection, 1);
    // It has masters alone.
    for (const key of KEYS) await expect(wait.begin()([key])).rejects.toThrow('NOREPLICAS 0 of 1');
  } finally {
    await cluster.stop();
  }
});

test('in a cluster, what was written to a master that another has replaced since is not told to be kept', async () => {
  const cluster = await startTestFailoverCluster();
  try {
    const connection = await connected(cluster.url, 'patient');
    const wait = waitOver(connection, 1);
    const [before, alsoBefore] = [wait.begin(), wait.begin()];
    await eventually(() => before(KEYS));
    // It cuts no connection: the old master says where its slots have gone.
    const master = await cluster.master();
    await cluster.failOver();
    await cluster.untilMasterIsNot(master);
    await cluster.untilReplicated();
    await expect(before(KEYS)).rejects.toThrow('NOREPLICAS');
    // The connection has followed: the new master's replicas have all that it has.
    await expect(alsoBefore(KEYS)).rejects.toThrow('NOREPLICAS');
    await untilKept(wait);
  } finally {
    await cluster.stop();
  }
});

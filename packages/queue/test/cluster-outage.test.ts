/**
 * A master of a Redis Cluster that hangs and goes on: whoever waits for a connection gets one, and each shard is read
 * again. What broke: workers and aggregators never read the shards of that master again, with all signs green.
 * Takes about 15 s.
 */
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { eventually, startTestCluster, type TestCluster } from '@hookfleet/testkit';
import type { Cluster } from 'ioredis';
import { connectRedis, disconnectRedis, type RedisConnection } from '../src/connection.ts';

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

// BullMQ connects its blocking connection anew where a fetch has taken too long, and waits for that.
test.each(['a connection', 'its duplicate'])(
  '%s that is connected while a master hangs is told when it is',
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

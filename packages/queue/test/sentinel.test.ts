/**
 * Connections whose master is killed. What broke: one that was told of the failover in the moment in which it asked the
 * sentinels for the new master ended for good, and its process served nothing until it was started again.
 * Takes about 9 s.
 */
import { expect, test } from '@jest/globals';
import { eventually, startTestSentinel } from '@hookfleet/testkit';
import { connectRedis, disconnectRedis } from '../src/index.ts';

const CONNECTIONS = 5;

test('all of them come to the new master', async () => {
  const redis = await startTestSentinel();
  const connections = Array.from({ length: CONNECTIONS }, () =>
    connectRedis({ url: redis.url, name: 'test', temper: 'failFast', onError: () => undefined }),
  );
  try {
    await eventually(() => Promise.all(connections.map((one) => one.ping())));
    const old = await redis.master();
    // The first to be asked: that moment lasts until it is given up.
    redis.suspendSentinel();
    await old.kill();
    await redis.untilMasterIsNot(old);
    await eventually(
      async () => {
        for (const one of connections) expect(await one.role()).toContain('master');
      },
      { timeoutMs: 60_000 },
    );
  } finally {
    connections.forEach(disconnectRedis);
    await redis.stop();
  }
}, 40_000);

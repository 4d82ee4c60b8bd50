/** Queues work again after Redis was silent while they were opened. Takes about 3 s. */
import { expect, test } from '@jest/globals';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { disconnectRedis } from '../src/index.ts';
import { openShardQueues } from '../src/shard-queues.ts';
import { connect } from './setup-queue.ts';

// Found by the test suite on an overloaded machine: a producer answered 503 for ever, though it was ready.
test('queues that were opened while Redis was silent work once it answers, each shard of them', async () => {
  const redis = await startTestRedis();
  const connection = connect(redis.url, 'failFast');
  await eventually(() => connection.ping());
  redis.suspend();
  const queues = openShardQueues('queue', { connection, prefix: 'test', shards: 2 });
  try {
    for (const shard of [0, 1]) await expect(queues.of(shard).add('job', {})).rejects.toThrow();
    redis.resume();
    await eventually(() => queues.of(0).add('job', {}));
    await eventually(async () => {
      const counts = await Promise.all(queues.all.map((queue) => queue.getWaitingCount()));
      expect(counts).toEqual([expect.any(Number), 0]);
    });
    expect(await queues.of(0).getWaitingCount()).toBeGreaterThan(0);
  } finally {
    await queues.close().catch(() => undefined);
    disconnectRedis(connection);
    redis.resume();
    await redis.stop();
  }
});

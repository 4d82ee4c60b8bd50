/** A Redis that is given is checked at start: version, policy, reachable. Takes about 2 s. */
import { expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import { checkRedis, disconnectRedis, RedisUnfitError, RedisUnreachableError } from '../src/index.ts';
import { connect } from './setup-queue.ts';

test('one that would evict webhooks is refused by the name of the setting', async () => {
  const redis = await startTestRedis();
  const connection = connect(redis.url);
  await checkRedis(connection);
  await connection.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const refused = checkRedis(connection);
  await expect(refused).rejects.toThrow(RedisUnfitError);
  await expect(refused).rejects.toThrow('maxmemory-policy is allkeys-lru');
  disconnectRedis(connection);
  await redis.stop();
});

test('one that does not answer is reported when the time is over, with the reason', async () => {
  const redis = await startTestRedis();
  await redis.stop();
  const connection = connect(redis.url);
  const unreachable = checkRedis(connection, { reachableWithinMs: 1_000 });
  await expect(unreachable).rejects.toThrow(RedisUnreachableError);
  await expect(unreachable).rejects.toThrow(/within 1 s: .*ECONNREFUSED/);
  disconnectRedis(connection);
});

/** Shards spread evenly over the masters of a Redis Cluster. Takes about 2 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import { Redis } from 'ioredis';
import { shardTag } from './shard-tag.ts';

let server: Awaited<ReturnType<typeof startTestRedis>>;
let redis: Redis;

beforeAll(async () => {
  server = await startTestRedis({ extraArguments: ['--cluster-enabled', 'yes'] });
  redis = new Redis(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** By Redis' own reckoning, on masters that share the slots as redis-cli gives them out. */
async function onMasters(prefix: string, shards: number, masters: number): Promise<number[]> {
  const counts = new Array<number>(masters).fill(0);
  for (let shard = 0; shard < shards; shard += 1) {
    const slot = Number(await redis.call('CLUSTER', 'KEYSLOT', `{${shardTag(prefix, shard)}}:key`));
    const master = Math.floor((slot * masters) / 16_384);
    counts[master] = (counts[master] ?? 0) + 1;
  }
  return counts;
}

test.each([
  [3, 3],
  [6, 3],
  [12, 3],
  [12, 6],
  [24, 8],
  [96, 12],
])('%d shards lie evenly on %d masters', async (shards, masters) => {
  expect(await onMasters('hookfleet', shards, masters)).toEqual(
    new Array<number>(masters).fill(shards / masters),
  );
});

test.each(['hookfleet', 'fleet-two', 'a', 'ä'])(
  'with the prefix %s no master has much more than its part',
  async (prefix) => {
    for (const [shards, masters] of [
      [12, 3],
      [24, 5],
      [64, 7],
      [200, 9],
    ] as const) {
      const counts = await onMasters(prefix, shards, masters);
      expect(Math.max(...counts)).toBeLessThanOrEqual(Math.ceil(shards / masters) + 1);
    }
  },
);

test("a shard's tag is its own, tells its number, and is the same however often it is asked for", () => {
  const all = Array.from({ length: 1_024 }, (_, shard) => shardTag('hookfleet', shard));
  expect(new Set(all).size).toBe(1_024);
  expect(all.map((tag) => Number(tag.slice(tag.lastIndexOf(':') + 1)))).toEqual([...all.keys()]);
  expect(all[0]).toBe('hookfleet:0');
});

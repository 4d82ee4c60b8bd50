/** One BullMQ queue per shard, under one name. */
import { Queue } from 'bullmq';
import type { RedisConnection } from './connection.ts';
import { shardPrefix } from './keys.ts';

export interface ShardOptions {
  readonly connection: RedisConnection;
  /** Before all of the product's keys: HOOKFLEET_KEY_PREFIX. */
  readonly prefix: string;
  /** HOOKFLEET_SHARDS. */
  readonly shards: number;
}

export interface ShardQueues {
  readonly all: readonly Queue[];
  of(shard: number): Queue;
  close(): Promise<void>;
}

export function openShardQueues(name: string, { connection, prefix, shards }: ShardOptions): ShardQueues {
  const all = Array.from({ length: shards }, (_, shard) => {
    const queue = new Queue(name, { connection, prefix: shardPrefix(prefix, shard) });
    // The connection's owner hears of its errors; a queue without a listener would throw them.
    queue.on('error', () => undefined);
    return queue;
  });
  return {
    all,
    of(shard) {
      const queue = all[shard];
      if (queue === undefined)
        throw new RangeError(
          `shard ${shard} of ${shards}: HOOKFLEET_SHARDS must not shrink while webhooks wait`,
        );
      return queue;
    },
    async close() {
      await Promise.all(all.map((queue) => queue.close()));
    },
  };
}

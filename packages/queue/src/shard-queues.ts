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
  /** To be asked for at each use, as of(): a queue that could not be opened is replaced. */
  readonly all: readonly Queue[];
  of(shard: number): Queue;
  close(): Promise<void>;
}

export function openShardQueues(name: string, { connection, prefix, shards }: ShardOptions): ShardQueues {
  const opened = new Map<number, Queue>();

  function open(shard: number): Queue {
    const queue = new Queue(name, { connection, prefix: shardPrefix(prefix, shard) });
    // The connection's owner hears of its errors; a queue without a listener would throw them.
    queue.on('error', () => undefined);
    // BullMQ 6.7 asks Redis for its version when a queue is opened, and keeps the answer, also if that is an error: such a
    // queue fails every call, for good. The next call gets another one.
    queue.waitUntilReady().catch(() => {
      if (opened.get(shard) === queue) opened.delete(shard);
      queue.close().catch(() => undefined);
    });
    opened.set(shard, queue);
    return queue;
  }

  const queueOf = (shard: number) => opened.get(shard) ?? open(shard);
  const openAll = () => Array.from({ length: shards }, (_, shard) => queueOf(shard));
  openAll();

  return {
    get all() {
      return openAll();
    },
    of(shard) {
      if (shard >= shards)
        throw new RangeError(
          `shard ${shard} of ${shards}: HOOKFLEET_SHARDS must not shrink while webhooks wait`,
        );
      return queueOf(shard);
    },
    async close() {
      await Promise.all([...opened.values()].map((queue) => queue.close()));
    },
  };
}

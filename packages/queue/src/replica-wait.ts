/**
 * Waits until replicas of Redis have what was written. Replication is asynchronous: where a master fails and a replica
 * takes its place, what that one did not have yet is gone, also what a caller was told is kept. Waiting narrows this to
 * failures of as many replicas more, and to a promotion of one that was not among those that answered.
 */
import { lossesOf } from './count-losses.ts';
import { attemptsCounterKey, shardPrefix } from './keys.ts';
import { createGroupCommit } from './group-commit.ts';
import type { ShardOptions } from './shard-queues.ts';

export interface ReplicaWaitOptions extends ShardOptions {
  /** That must have it. */
  readonly replicas: number;
}

export interface ReplicaWait {
  /**
   * To be called before the first write of those to be waited for. What it returns, called after the last, resolves when
   * the shards' replicas have them. It rejects with NOREPLICAS, as Redis itself does under min-replicas-to-write, where
   * too few answer in time, or where the connection was lost meanwhile: it may have come to another master, whose
   * replicas have all that it has, without it having what the one before was given. The write may be lost.
   */
  begin(): (shards: Iterable<number>) => Promise<void>;
}

// Replicas answer within a round trip. Well within the time that a producer has for its answer.
const WAIT_MS = 500;

export function createReplicaWait(options: ReplicaWaitOptions): ReplicaWait {
  const { connection, prefix, shards, replicas } = options;
  const losses = lossesOf(connection);

  async function waitFor(shard: number): Promise<void> {
    // A command of the shard's in front: a cluster then asks the master that has the shard.
    const key = attemptsCounterKey(shardPrefix(prefix, shard));
    const replies = await connection.pipeline().exists(key).wait(replicas, WAIT_MS).exec();
    const [redirected] = replies?.[0] ?? [];
    if (redirected) {
      // ioredis follows a redirect only if all commands of a pipeline get the same one; to WAIT, a replica answers with another error.
      await connection.exists(key);
      throw new Error(`NOREPLICAS the shard has another master: ${redirected.message}`);
    }
    const [error, answered] = replies?.[1] ?? [];
    if (error) throw error;
    if (Number(answered ?? 0) < replicas)
      throw new Error(`NOREPLICAS ${Number(answered ?? 0)} of ${replicas} replicas have what was written`);
  }

  // A connection that waits does nothing else: callers wait together.
  const groups = Array.from({ length: shards }, (_, shard) =>
    createGroupCommit<null>({
      write: () => waitFor(shard),
      itemsMax: Number.POSITIVE_INFINITY,
      lingerMs: 1,
      writesMax: 1,
    }),
  );
  return {
    begin() {
      const before = losses();
      return async (some) => {
        await Promise.all([...some].map((shard) => groups[shard]?.add(null)));
        if (losses() !== before) throw new Error('NOREPLICAS the connection was lost since it has written');
      };
    },
  };
}

/**
 * Waits until replicas of Redis have what was written. Replication is asynchronous: where a master fails and a replica
 * takes its place, what that one did not have yet is gone, also what a caller was told is kept. Waiting narrows this to
 * failures of as many replicas more, and to a promotion of one that was not among those that answered.
 *
 * On one master, what is written later is never kept without what was written before. In a cluster it may be: where
 * something leaves one master for another, it must be kept there before it is removed here.
 */
import { Cluster } from 'ioredis';
import type { RedisConnection } from './connection.ts';
import { lossesOf } from './count-losses.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { attemptsCounterKey, fleetSettingsKey, shardPrefix } from './keys.ts';
import { slotOf } from './shard-tag.ts';
import type { ShardOptions } from './shard-queues.ts';

export interface ReplicaWaitOptions {
  readonly connection: RedisConnection;
  /** That must have it. */
  readonly replicas: number;
}

export interface ReplicaWait {
  /**
   * To be called before the first write of those to be waited for. What it returns, called after the last, resolves when
   * the replicas of the keys' masters have them. It rejects with NOREPLICAS, as Redis itself does under
   * min-replicas-to-write, where too few answer in time, or where the connection was lost meanwhile: it may have come to
   * another master, whose replicas have all that it has, without it having what the one before was given. The write may be
   * lost. The keys need not exist: they name masters.
   */
  begin(): (keys: Iterable<string>) => Promise<void>;
}

// Replicas answer within a round trip. Well within the time that a producer has for its answer.
const WAIT_MS = 500;
// Of one pipeline.
const KEYS_MAX = 1_000;

export function createReplicaWait({ connection, replicas }: ReplicaWaitOptions): ReplicaWait {
  const losses = lossesOf(connection);

  async function waitFor(keys: readonly string[]): Promise<void> {
    const pipeline = connection.pipeline();
    // A command for each key in front: a cluster's master that has none of them any more says so.
    const asked = [...new Set(keys)];
    for (const key of asked) pipeline.exists(key);
    const replies = await pipeline.wait(replicas, WAIT_MS).exec();
    const refused = replies?.slice(0, asked.length).findIndex(([error]) => error !== null) ?? -1;
    if (refused !== -1) {
      // ioredis follows a redirect only if all commands of a pipeline get the same one; to WAIT, a replica answers with another error.
      await connection.exists(asked[refused] as string);
      throw new Error(`NOREPLICAS another is the master now: ${replies?.[refused]?.[0]?.message}`);
    }
    const [error, answered] = replies?.at(-1) ?? [];
    if (error) throw error;
    if (Number(answered ?? 0) < replicas)
      throw new Error(`NOREPLICAS ${Number(answered ?? 0)} of ${replicas} replicas have what was written`);
  }

  // By master: a connection that waits does nothing else, so callers wait together.
  const groups = new Map<string, GroupCommit<string>>();
  function groupOf(key: string): GroupCommit<string> {
    const master = masterOf(connection, key);
    let group = groups.get(master);
    if (group === undefined) {
      group = createGroupCommit({
        write: waitFor,
        itemsMax: KEYS_MAX,
        lingerMs: 1,
        writesMax: 1,
      });
      groups.set(master, group);
    }
    return group;
  }

  return {
    begin() {
      const before = losses();
      return async (keys) => {
        const [failed] = (
          await Promise.allSettled([...new Set(keys)].map((key) => groupOf(key).add(key)))
        ).filter((one) => one.status === 'rejected');
        // Whatever else went wrong then came of that.
        if (losses() !== before) throw new Error('NOREPLICAS the connection was lost since it has written');
        if (failed !== undefined) throw failed.reason;
      };
    },
  };
}

/** For what goes from one master of a cluster to another. Undefined where there is one master, or nothing is waited for. */
export function createHandOverWait(options: ReplicaWaitOptions): ReplicaWait | undefined {
  const { connection, replicas } = options;
  return connection instanceof Cluster && replicas > 0 ? createReplicaWait(options) : undefined;
}

/** A key of each shard, as a wait takes them. */
export function shardKeys({ prefix }: Pick<ShardOptions, 'prefix'>, shards: Iterable<number>): string[] {
  return [...new Set(shards)].map((shard) => attemptsCounterKey(shardPrefix(prefix, shard)));
}

/** Of what a call may have changed, wherever in the fleet's keys. */
export function beginFleetWait(
  wait: ReplicaWait,
  { prefix, shards }: Pick<ShardOptions, 'prefix' | 'shards'>,
): () => () => Promise<void> {
  const keys = [fleetSettingsKey(prefix), ...shardKeys({ prefix }, Array(shards).keys())];
  return () => {
    const untilKept = wait.begin();
    return () => untilKept(keys);
  };
}

/** Its address; '' if it is not known, or if there is but one. */
function masterOf(connection: RedisConnection, key: string): string {
  if (!(connection instanceof Cluster)) return '';
  const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key;
  return connection.slots[slotOf(tag)]?.[0] ?? '';
}

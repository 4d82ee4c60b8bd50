/**
 * Waits until replicas of Redis have what was written. Replication is asynchronous: where a master fails and a replica
 * takes its place, what that one did not have yet is gone, also what a caller was told is kept. Waiting narrows this to
 * failures of as many replicas more, and to a promotion of one that was not among those that answered.
 *
 * On one master, what is written later is never kept without what was written before. In a cluster it may be: what
 * leaves one master for another must be kept there before it is removed here.
 */
import { randomBytes } from 'node:crypto';
import { Cluster } from 'ioredis';
import { disconnectRedis, type RedisConnection } from './connection.ts';
import { lossesOf } from './count-losses.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { attemptsCounterKey, fleetSettingsKey, shardPrefix } from './keys.ts';
import { slotOf } from './shard-tag.ts';
import type { ShardOptions } from './shard-queues.ts';

export interface ReplicaWaitOptions {
  /** Over which is written what is waited for. */
  readonly connection: RedisConnection;
  /** That must have it. 0: nothing is waited for. */
  readonly replicas: number;
  /** Of the connection on which is waited: it keeps trying. */
  readonly onError: (error: Error) => void;
}

export interface ReplicaWait {
  /**
   * To be called before the first write of those to be waited for. What it returns, called after the last, resolves when
   * the replicas of the keys' masters have them. It rejects with NOREPLICAS, as Redis itself does under
   * min-replicas-to-write, if too few answer in time, or if the connection was lost meanwhile: it may have come to
   * another master, whose replicas have all that it has, without it having what the one before was given. The write may be
   * lost. The keys need not exist: they name masters.
   */
  begin(): (keys: Iterable<string>) => Promise<void>;
  close(): void;
}

// Replicas answer within a round trip. Well within the time that a producer has for its answer.
const WAIT_MS = 500;
// Of one pipeline.
const KEYS_MAX = 1_000;
// Far longer than a wait takes.
const TOKEN_KEPT_MS = 60_000;

/** Undefined if nothing is waited for. */
export function createReplicaWait({
  connection,
  replicas,
  onError,
}: ReplicaWaitOptions): ReplicaWait | undefined {
  if (replicas === 0) return undefined;
  const losses = lossesOf(connection);
  // A connection that waits does nothing else, so there is one for it. WAIT is for all that its master was given before the
  // last write of this connection, whoever wrote it.
  const waiting = anotherOf(connection);
  waiting.on('error', onError);
  const id = randomBytes(6).toString('base64url');
  let tokens = 0;

  async function waitFor(keys: readonly string[]): Promise<void> {
    const asked = [...new Set(keys)];
    const tokenKey = `{${tagOf(asked[0] as string)}}:kept:${id}`;
    tokens += 1;
    const token = String(tokens);
    const [[error] = [null], [waitError, answered] = [null]] =
      (await waiting.pipeline().set(tokenKey, token, 'PX', TOKEN_KEPT_MS).wait(replicas, WAIT_MS).exec()) ??
      [];
    if (error) {
      // ioredis follows a redirect only if all commands of a pipeline get the same one; to WAIT, a replica answers with another error.
      if (isRedirect(error)) await waiting.exists(tokenKey);
      throw new Error(`NOREPLICAS ${error.message}`);
    }
    if (waitError) throw waitError;
    if (Number(answered ?? 0) < replicas)
      throw new Error(`NOREPLICAS ${Number(answered ?? 0)} of ${replicas} replicas have what was written`);
    await checkSameMaster(tokenKey, token, asked);
  }

  /** The two connections may hold different nodes for the master of a moment. */
  async function checkSameMaster(tokenKey: string, token: string, keys: readonly string[]): Promise<void> {
    const pipeline = connection.pipeline().get(tokenKey);
    // A master that has one of them no more says so.
    for (const key of keys) pipeline.exists(key);
    const [[, found] = [null], ...replies] = (await pipeline.exec()) ?? [];
    const [error] = replies.find(([one]) => one !== null) ?? [];
    if (found !== token || error)
      throw new Error(`NOREPLICAS another is the master now${error ? `: ${error.message}` : ''}`);
  }

  // By master: callers wait together.
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
        failsWaiting: true,
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
    close: () => disconnectRedis(waiting),
  };
}

/** For what goes from one master of a cluster to another. Undefined if there is one master, or nothing is waited for. */
export function createHandOverWait(options: ReplicaWaitOptions): ReplicaWait | undefined {
  return options.connection instanceof Cluster ? createReplicaWait(options) : undefined;
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
  return connection.slots[slotOf(tagOf(key))]?.[0] ?? '';
}

/** It may be asked before it is connected. */
function anotherOf(connection: RedisConnection): RedisConnection {
  const options = { enableOfflineQueue: true };
  return connection instanceof Cluster ? connection.duplicate([], options) : connection.duplicate(options);
}

function tagOf(key: string): string {
  return /\{([^}]+)\}/.exec(key)?.[1] ?? key;
}

function isRedirect({ message }: Error): boolean {
  return /^(?:MOVED|ASK)\b/.test(message);
}

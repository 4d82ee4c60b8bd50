/**
 * A Redis whose master is made to fail, and what is common to those that we have: Sentinel's and a cluster's. Replica,
 * operator and clients are users of their own, so that the networks between them can fail one by one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedRedis } from '@hookfleet/embedded-redis';
import { Redis, ReplyError } from 'ioredis';

export interface FailingRedis {
  /** As REDIS_URL takes it. */
  readonly url: string;
  /** The one that is made to fail next. */
  master(): Promise<EmbeddedRedis>;
  /** Resolves to the new one when another has taken the place of the old. */
  untilMasterIsNot(old: EmbeddedRedis, timeoutMs?: number): Promise<EmbeddedRedis>;
  /** Resolves when the replica of the one that was asked for last follows its master and has what it has. */
  untilReplicated(): Promise<void>;
  /** What the master is given from now on reaches no replica. */
  holdReplication(master: EmbeddedRedis): Promise<void>;
  /** Neither replica nor whoever watches over it reaches the master, which is there for its clients still. */
  isolate(master: EmbeddedRedis): Promise<void>;
  /** Ends both. */
  rejoin(node: EmbeddedRedis): Promise<void>;
  /** Has the replica take the place of a master that is well. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

export interface FailingRedisOptions {
  /** Of the user `fleet`, as which the URL's clients come. */
  readonly password?: string;
  /** A master with fewer replicas that answer takes no writes. 0 when absent. */
  readonly minReplicasToWrite?: number;
}

// Each with its name for a password.
export const REPLICA = 'replica';
const OPERATOR = 'operator';
// A replica that has not been heard of for so long (Redis asks each second) does not answer.
const MIN_REPLICAS_MAX_LAG_S = 2;
// A node that is killed or frozen comes back sooner.
const ANSWER_WITHIN_MS = 30_000;
const ASK_AGAIN_AFTER_MS = 20;

/** With which each node is started. */
export function failingArguments({
  password = 'fleet',
  minReplicasToWrite = 0,
}: FailingRedisOptions): string[] {
  return [
    ...[REPLICA, OPERATOR].flatMap((user) => userArguments(user, user)),
    ...userArguments('fleet', password),
    ...['--masteruser', REPLICA, '--masterauth', REPLICA],
    ...['--repl-diskless-sync-delay', '0'],
    ...['--min-replicas-to-write', String(minReplicasToWrite)],
    ...['--min-replicas-max-lag', String(MIN_REPLICAS_MAX_LAG_S)],
  ];
}

export function userArguments(user: string, password: string): string[] {
  return ['--user', user, 'on', `>${password}`, '~*', '&*', '+@all'];
}

/**
 * Asks until there is an answer: a node that is made a replica cuts the connections of all its clients, ours too. A
 * question may be asked twice, so it must do no harm to ask it again. What the node refuses is not retried.
 */
export async function ask<T>(node: EmbeddedRedis, question: (redis: Redis) => Promise<T>): Promise<T> {
  const deadline = performance.now() + ANSWER_WITHIN_MS;
  for (;;) {
    try {
      return await askOnce(node, question);
    } catch (error) {
      const isRefused = error instanceof ReplyError && !/^LOADING\b/.test((error as Error).message);
      if (isRefused || performance.now() > deadline) throw error;
    }
    await sleep(ASK_AGAIN_AFTER_MS);
  }
}

async function askOnce<T>(node: EmbeddedRedis, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({
    host: '127.0.0.1',
    port: node.port,
    username: OPERATOR,
    password: OPERATOR,
    retryStrategy: () => null,
  });
  redis.on('error', () => undefined);
  return question(redis).finally(() => redis.disconnect());
}

export async function shutOut(node: EmbeddedRedis, users: readonly string[]): Promise<void> {
  await ask(node, async (redis) => {
    for (const user of users) {
      await redis.acl('SETUSER', user, 'off');
      await redis.client('KILL', 'USER', user);
    }
  });
}

export async function letIn(node: EmbeddedRedis, users: readonly string[]): Promise<void> {
  await ask(node, async (redis) => {
    for (const user of users) await redis.acl('SETUSER', user, 'on');
  });
}

/**
 * How many shards the fleet has. A process that reads fewer than another writes to would leave webhooks where nobody looks,
 * and two that spread idempotency keys over different numbers would take a repeated call for a new one. So the number
 * stands in Redis: it is the most that any process was ever told, and each follows it, whatever it was told itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisConnection } from './connection.ts';
import { createLossCheck } from './count-losses.ts';
import { keepFleetKeyIds } from './fleet-settings.ts';
import { fleetSettingsKey } from './keys.ts';
import { createSecretBox } from './secret-box.ts';

const SHARDS = 'shards';
const LOOK_EVERY_MS = 5_000;

export interface JoinShardsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** That this process was told. */
  readonly shards: number;
  /** Ids of this process's encryption keys, of one that belongs to the fleet (fleet-settings.ts). */
  readonly keyIds?: readonly string[];
  /** The fleet has more shards now than when this process joined: it must begin anew. Called once. */
  readonly onMore: (shards: number) => void;
  readonly onError: (error: Error) => void;
  /** Default: every five seconds. */
  readonly lookEveryMs?: number;
}

export interface JoinedShards {
  /** Of the fleet: as many as this process was told, or more. */
  readonly shards: number;
  /** Ids of the encryption keys that the fleet had, if this process has none of them. */
  readonly otherKeyIds: readonly string[] | undefined;
  /** Looks no more. */
  stop(): void;
}

/** Rejects with Redis' error. */
export async function joinShards(options: JoinShardsOptions): Promise<JoinedShards> {
  const { connection, prefix, keyIds, onMore, onError, lookEveryMs = LOOK_EVERY_MS } = options;
  const key = fleetSettingsKey(prefix);
  const read = async () => Number(await connection.zscore(key, SHARDS));
  async function tell(): Promise<readonly string[] | undefined> {
    // The number comes last: a client that finds it finds the keys too.
    const other = keyIds && (await keepFleetKeyIds(connection, prefix, keyIds));
    await connection.zadd(key, 'GT', options.shards, SHARDS);
    return other;
  }
  const wasLost = createLossCheck(connection);
  const otherKeyIds = await tell();
  const shards = await read();
  const stopping = new AbortController();
  const { signal } = stopping;

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await sleep(lookEveryMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        if (wasLost()) await tell();
        const known = await read();
        if (known > shards && !signal.aborted) return onMore(known);
      } catch (error) {
        if (!signal.aborted) onError(error as Error);
      }
    }
  }
  void watch();
  return { shards, otherKeyIds, stop: () => stopping.abort() };
}

export interface FollowShardsOptions {
  readonly connection: RedisConnection;
  readonly config: {
    readonly keyPrefix: string;
    readonly shards: number;
    readonly encryptionKeys: readonly string[];
  };
  readonly logger: Record<'error' | 'warn', (facts: object, message: string) => void>;
  readonly lifecycle: {
    onClose(name: string, close: () => void): void;
    shutdown(reason: string): void;
  };
  readonly onError: (error: Error) => void;
}

/** Joins, for a process that a supervisor starts again: it stops when the fleet has more shards. Resolves to their number. */
export async function followShards(options: FollowShardsOptions): Promise<number> {
  const { connection, config, logger, lifecycle, onError } = options;
  const joined = await joinShards({
    connection,
    prefix: config.keyPrefix,
    shards: config.shards,
    keyIds: createSecretBox(config.encryptionKeys).keyIds,
    onMore(shards) {
      logger.error({ shards, known: joined.shards }, 'fleet.more_shards');
      lifecycle.shutdown('the fleet has more shards');
    },
    onError,
  });
  lifecycle.onClose('shards', () => joined.stop());
  if (joined.shards > config.shards)
    logger.warn({ HOOKFLEET_SHARDS: config.shards, shards: joined.shards }, 'fleet.shards_followed');
  if (joined.otherKeyIds !== undefined)
    logger.warn(
      { variable: 'HOOKFLEET_ENCRYPTION_KEYS', fleetKeyIds: joined.otherKeyIds },
      'fleet.other_encryption_keys',
    );
  return joined.shards;
}

/** Would a write be taken? What a readiness check asks: a Redis that answers PING may be a replica, full, or half a cluster. */
import type { RedisConnection } from './connection.ts';
import { readinessKey, shardPrefix } from './keys.ts';

const KEPT_MS = 60_000;

/** Writes to each shard, and to the slot that all have in common. Rejects with what Redis says. */
export async function checkWrites({
  connection,
  prefix,
  shards,
}: {
  connection: RedisConnection;
  prefix: string;
  shards: number;
}): Promise<undefined> {
  const tags = Array.from({ length: shards }, (_, shard) => shardPrefix(prefix, shard));
  await Promise.all(
    [`{${prefix}}`, ...tags].map((tag) => connection.set(readinessKey(tag), '', 'PX', KEPT_MS)),
  );
  return undefined;
}

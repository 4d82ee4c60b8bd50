/**
 * Shards that their process does not read, although webhooks or results wait in them and Redis answers. The connection to
 * one shard may be lost for good while all others work, as after a master of a Redis Cluster hung. A restart helps.
 */

/** A read of an empty queue ends after ten seconds at most. */
export const UNREAD_AFTER_MS = 30_000;

export interface UnreadShardsInput {
  readonly shards: number;
  /** When the read of the shard's queue that is under way began; now if none is needed. Milliseconds since 1970. */
  readonly readingSince: (shard: number) => number;
  /** Jobs that wait to be taken, by shard. Rejects while Redis is away: then there is nothing to read. */
  readonly waitingJobs: () => Promise<readonly number[]>;
  readonly now: () => number;
}

/** In words; undefined if there are none. */
export async function unreadShards({
  shards,
  readingSince,
  waitingJobs,
  now,
}: UnreadShardsInput): Promise<string | undefined> {
  const silent = Array.from({ length: shards }, (_, shard) => ({
    shard,
    forMs: now() - readingSince(shard),
  })).filter(({ forMs }) => forMs >= UNREAD_AFTER_MS);
  if (silent.length === 0) return undefined;
  const waiting = await waitingJobs().catch(() => []);
  const unread = silent.filter(({ shard }) => (waiting[shard] ?? 0) > 0);
  if (unread.length === 0) return undefined;
  return unread
    .map(
      ({ shard, forMs }) =>
        `${waiting[shard]} jobs wait in shard ${shard}, which was not read for ${Math.round(forMs / 1000)} s`,
    )
    .join('; ');
}

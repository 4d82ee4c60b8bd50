/**
 * The versions of what is stored without one of its own: entries that are many and small. They stand once in Redis, and are
 * looked at when a process starts: one that is older than what Redis holds would misread it, and ends with a line that
 * says so. Bundles, results and channels carry their version with them (later-version.ts).
 *
 * A number is raised where a reader of before would misread what is written now; fields that it passes over need none.
 * A fleet takes such a change in two steps: first a version that reads both, everywhere, then the one that writes it.
 */
import { RedisUnfitError } from './check-redis.ts';
import type { RedisConnection } from './connection.ts';
import { formatsKey } from './keys.ts';

export const STORED_FORMATS = {
  'attempt log': 1,
  'campaign controls': 1,
  circuits: 1,
  counters: 1,
  'event types': 1,
  lanes: 1,
  lots: 1,
} as const;

/** Notes our versions where they are the latest. Throws RedisUnfitError where Redis holds a later one. */
export async function checkFormats(
  connection: RedisConnection,
  prefix: string,
  known: Readonly<Record<string, number>> = STORED_FORMATS,
): Promise<void> {
  const key = formatsKey(prefix);
  const stored = await connection.hgetall(key);
  const later = Object.entries(known).filter(([name, version]) => Number(stored[name] ?? 0) > version);
  if (later.length > 0) {
    const named = later.map(
      ([name, version]) => `${name} of version ${stored[name]} (known here: ${version})`,
    );
    throw new RedisUnfitError(`Redis holds ${named.join(', ')}: start a later version of hookfleet`);
  }
  for (const [name, version] of Object.entries(known)) {
    // A process that starts beside us may have noted a later one meanwhile: what is absent is noted once.
    if (stored[name] === undefined) await connection.hsetnx(key, name, version);
    else if (Number(stored[name]) < version) await connection.hset(key, name, version);
  }
}

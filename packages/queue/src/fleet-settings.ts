/**
 * What a client that writes straight to Redis must have as the fleet has it. The fleet's processes keep in Redis which
 * encryption keys they have, by the keys' ids, which are part of each sealed text: never a key itself. A client compares
 * before it writes: with another key, or none, what it writes could not be read by the workers, or would be in clear.
 *
 * A process with keys replaces what is kept, so that a key can be rotated. One without keys leaves it: one process that
 * was started without its keys must not make a whole fleet look unencrypted.
 */
import type { RedisConnection } from './connection.ts';
import { fleetKeyIdsKey, fleetSettingsKey } from './keys.ts';

export interface FleetSettings {
  readonly shards: number;
  /** Empty: the fleet does not encrypt. Undefined: it is of a version that did not keep them. */
  readonly keyIds: readonly string[] | undefined;
}

/** Undefined if no process of a fleet has ever started with this prefix. */
export async function readFleetSettings(
  connection: RedisConnection,
  prefix: string,
): Promise<FleetSettings | undefined> {
  const [shards, keyIds] = await Promise.all([
    connection.zscore(fleetSettingsKey(prefix), 'shards'),
    connection.get(fleetKeyIdsKey(prefix)),
  ]);
  if (shards === null) return undefined;
  return { shards: Number(shards), keyIds: keyIds?.split(',').filter((id) => id !== '') };
}

/** Resolves to the ids that were kept before, if they share none with `keyIds`. */
export async function keepFleetKeyIds(
  connection: RedisConnection,
  prefix: string,
  keyIds: readonly string[],
): Promise<readonly string[] | undefined> {
  const key = fleetKeyIdsKey(prefix);
  const before = (await connection.get(key))?.split(',').filter((id) => id !== '') ?? [];
  if (keyIds.length > 0) await connection.set(key, keyIds.join());
  else await connection.setnx(key, '');
  return before.length === 0 || before.some((id) => keyIds.includes(id)) ? undefined : before;
}

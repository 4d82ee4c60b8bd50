/** Every key of a Redis: by family, with what it weighs, and what is wrong with it. */
import type { Redis } from 'ioredis';
import { faultOf, familyOf, type FoundKey } from './key-families.ts';

export interface FamilyCount {
  readonly family: string;
  readonly keys: number;
  readonly bytes: number;
  /** Keys without a lifetime. */
  readonly lasting: number;
}

export interface KeyFault {
  readonly family: string;
  readonly fault: string;
  readonly keys: number;
  readonly example: string;
}

export interface Census {
  readonly families: readonly FamilyCount[];
  readonly faults: readonly KeyFault[];
}

const SCANNED_AT_ONCE = 1_000;
const UNKNOWN = 'no family';

const LENGTHS: Readonly<Record<string, 'llen' | 'scard' | 'zcard' | 'hlen' | 'xlen'>> = {
  list: 'llen',
  set: 'scard',
  zset: 'zcard',
  hash: 'hlen',
  stream: 'xlen',
};

/** `campaigns`: how many were sent. Takes a second or so for each hundred thousand keys. */
export async function takeCensus(redis: Redis, campaigns: number): Promise<Census> {
  const families = new Map<string, FamilyCount>();
  const faults = new Map<string, KeyFault>();
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', SCANNED_AT_ONCE);
    cursor = next;
    for (const { bytes, ...found } of await lookAt(redis, keys)) {
      const family = familyOf(found.key)?.name ?? UNKNOWN;
      const {
        keys: many,
        bytes: weight,
        lasting,
      } = families.get(family) ?? { keys: 0, bytes: 0, lasting: 0 };
      families.set(family, {
        family,
        keys: many + 1,
        bytes: weight + bytes,
        lasting: lasting + (found.lifetimeMs === -1 ? 1 : 0),
      });
      const fault = faultOf(found, campaigns);
      if (fault === undefined) continue;
      const known = faults.get(`${family} ${fault}`);
      faults.set(`${family} ${fault}`, {
        family,
        fault,
        keys: (known?.keys ?? 0) + 1,
        example: known?.example ?? found.key,
      });
    }
  } while (cursor !== '0');
  return {
    families: [...families.values()].sort((a, b) => b.bytes - a.bytes),
    faults: [...faults.values()],
  };
}

async function lookAt(redis: Redis, keys: readonly string[]): Promise<(FoundKey & { bytes: number })[]> {
  const first = redis.pipeline();
  for (const key of keys) first.type(key).pttl(key).memory('USAGE', key);
  const told = ((await first.exec()) ?? []).map(([, reply]) => reply);
  const seen = keys.map((key, i) => ({
    key,
    type: String(told[3 * i]),
    lifetimeMs: Number(told[3 * i + 1]),
    bytes: Number(told[3 * i + 2]),
  }));
  const second = redis.pipeline();
  const counted = seen.filter(({ type }) => LENGTHS[type] !== undefined);
  for (const { key, type } of counted) second[LENGTHS[type] as 'llen'](key);
  const lengths = (await second.exec()) ?? [];
  const lengthOf = new Map(counted.map(({ key }, i) => [key, Number(lengths[i]?.[1])]));
  // One that has expired since it was scanned is no key any more.
  return seen
    .filter(({ type }) => type !== 'none')
    .map(({ key, lifetimeMs, bytes }) => ({ key, lifetimeMs, bytes, entries: lengthOf.get(key) ?? 1 }));
}

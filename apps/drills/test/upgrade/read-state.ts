/** What a version before left in Redis (write-state.ts), put into a Redis of the test's own. */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';

export interface StateBefore {
  /** Which version it was, and of what day. */
  readonly commit: string;
  /** Webhooks of each kind. */
  readonly count: number;
  readonly channels: Readonly<Record<string, object>>;
  readonly ids: Readonly<Record<string, readonly string[]>>;
  /** The totals of the campaign that has ended. */
  readonly ended: Readonly<Record<string, unknown>>;
  /** A call that may be sent again. */
  readonly again: object;
}

export interface StoredKey {
  readonly key: string;
  /** 0: for ever. */
  readonly lifetimeMs: number;
  /** What DUMP gave, in base64. */
  readonly dump: string;
}

export async function restoreState(file: URL, redisUrl: string): Promise<StateBefore> {
  const [state, ...keys] = readFileSync(file, 'utf8').trim().split('\n');
  const redis = new Redis(redisUrl);
  for (const line of keys) {
    const { key, lifetimeMs, dump } = JSON.parse(line) as StoredKey;
    await redis.restore(key, lifetimeMs, Buffer.from(dump, 'base64'));
  }
  redis.disconnect();
  return JSON.parse(state ?? '') as StateBefore;
}

/** Looks at the fleet's Redis, and finds what is wrong with it. Writes nothing to it. */
import {
  checkRedis,
  connectRedis,
  disconnectRedis,
  inspectRedis,
  parseRedisUrl,
  RedisUnfitError,
} from '@hookfleet/queue';
import { maskPasswords } from '@hookfleet/runtime';
import { UsageError } from './exit-status.ts';
import { type Finding, redisFindings } from './findings.ts';

// A person waits for the findings. A connection is given up after 2 s, so this is one try and some more.
const REACHABLE_WITHIN_MS = 3_000;

/** Throws a UsageError if `url` is not a Redis URL, before anything is started. */
export function checkRedisUrl(url: string | undefined): void {
  if (url === undefined || url === '') return;
  try {
    parseRedisUrl(url);
  } catch (error) {
    throw new UsageError(`--redis or REDIS_URL: ${(error as Error).message}`);
  }
}

/** `url` has passed checkRedisUrl. */
export async function examineRedis(url: string | undefined): Promise<Finding[]> {
  if (url === undefined || url === '') {
    const mend = 'REDIS_URL or --redis names it; `hookfleet up` prints the address of the one that it starts';
    return [{ about: 'redis', state: 'unknown', found: 'not looked at: no address is set', mend }];
  }
  const about = `redis ${maskPasswords(url)}`;
  const connection = connectRedis({
    url,
    name: 'hookfleet-doctor',
    temper: 'failFast',
    onError: () => undefined,
  });
  try {
    try {
      await checkRedis(connection, { reachableWithinMs: REACHABLE_WITHIN_MS });
    } catch (error) {
      // What is unfit is told below, with all else, by what it is.
      if (!(error instanceof RedisUnfitError)) throw error;
    }
    return (await inspectRedis(connection)).flatMap(redisFindings);
  } catch (error) {
    const mend = 'is it running, and may this machine reach it? A password belongs into the URL';
    return [{ about, state: 'wrong', found: (error as Error).message, mend }];
  } finally {
    disconnectRedis(connection);
  }
}

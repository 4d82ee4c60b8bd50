/** For what is half done when Redis is away, or refuses to write: a lease would bring it back, but minutes later. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRedisUnavailable } from './connection.ts';

const TRY_EVERY_MS = 250;
// A failover by Sentinel's defaults takes half a minute; who is told to stop is waited for about as long.
const TRY_FOR_MS = 20_000;

/** Tries until Redis takes it, for a while; rejects with its last error then, and with any other at once. */
export async function onceAvailable<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + TRY_FOR_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isRedisUnavailable(error as Error) || performance.now() > deadline) throw error;
      await sleep(TRY_EVERY_MS);
    }
  }
}

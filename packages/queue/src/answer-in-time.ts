/**
 * An answer within two seconds while Redis is away. A command has its time limit (connection.ts), but a call makes several,
 * one after the other, and asks several masters of a cluster: each may take its time. So a call that takes long is given up
 * once Redis is seen to be away: a connection was lost since it began, or another call failed. One that is only large goes on.
 */
import { isRedisUnavailable, type RedisConnection } from './connection.ts';
import { lossesOf } from './count-losses.ts';

/** Of the two seconds that are promised. */
const ANSWER_WITHIN_MS = 1_800;
const LOOK_EVERY_MS = 100;

/** Resolves and rejects as the work does, or rejects before it with an error that tells that Redis is away. */
export type AnswerInTime = <T>(work: () => Promise<T>) => Promise<T>;

export function createAnswerInTime(connection: RedisConnection): AnswerInTime {
  const losses = lossesOf(connection);
  let failedAt = Number.NEGATIVE_INFINITY;

  return async (work) => {
    const beganAt = performance.now();
    const before = losses();
    const { promise: late, reject } = Promise.withResolvers<never>();
    let timer = setTimeout(look, ANSWER_WITHIN_MS);
    function look(): void {
      if (losses() !== before || failedAt > beganAt) reject(new Error('Command timed out: Redis is away'));
      else timer = setTimeout(look, LOOK_EVERY_MS);
    }
    const working = work().catch((error: Error) => {
      if (isRedisUnavailable(error)) failedAt = performance.now();
      throw error;
    });
    try {
      return await Promise.race([working, late]);
    } finally {
      clearTimeout(timer);
    }
  };
}

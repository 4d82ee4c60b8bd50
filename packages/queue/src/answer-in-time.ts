/**
 * An answer within two seconds while Redis is away. A command has its time limit (connection.ts), but a call makes several,
 * one after the other, and asks several masters of a cluster: each may take its time. So a call that takes long is given up.
 * A large one may take long by itself: it is given up once Redis is seen to be away, that is if a connection was lost since
 * it began, or another call failed.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isRedisUnavailable, type RedisConnection } from './connection.ts';
import { lossesOf } from './count-losses.ts';

/** Of the two seconds that are promised: a machine that is busy needs the rest for the answer. */
const ANSWER_WITHIN_MS = 1_500;
const LOOK_EVERY_MS = 100;

/**
 * Resolves and rejects as the work does, or rejects before it with an error that tells that Redis is away. `work`: what is
 * asked of Redis, and nothing that waits for the caller.
 */
export type AnswerInTime = <T>(work: () => Promise<T>, isLarge: boolean) => Promise<T>;

export function createAnswerInTime(connection: RedisConnection): AnswerInTime {
  const losses = lossesOf(connection);
  let failedAt = Number.NEGATIVE_INFINITY;

  return async (work, isLarge) => {
    const beganAt = performance.now();
    const before = losses();
    const { promise: late, reject } = Promise.withResolvers<never>();
    let timer = setTimeout(look, ANSWER_WITHIN_MS);
    function look(): void {
      if (isLarge && losses() === before && failedAt <= beganAt) timer = setTimeout(look, LOOK_EVERY_MS);
      // If it is we who were late, what Redis has answered meanwhile comes first.
      else void nextTurn().then(() => reject(new Error('Command timed out: Redis is away')));
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

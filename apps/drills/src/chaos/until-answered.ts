/**
 * Questions that a drill asks of its own fleet and its own Redis. What the drill breaks, or has broken a moment ago, must
 * not fail the drill: it asks again until there is an answer. For reads, and for writes that are safe to repeat.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isRedisUnavailable } from '@hookfleet/queue';

const ANSWER_WITHIN_MS = 60_000;
const ASK_AGAIN_AFTER_MS = 100;
// A fetch that has no answer by then is given up and sent again.
const CALL_TIMEOUT_MS = 10_000;

/** Retries `ask` as long as `isPassing` says of its error that it will pass, for a minute. */
async function retryWhile<T>(isPassing: (error: Error) => boolean, ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + ANSWER_WITHIN_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error as Error) || performance.now() > deadline) throw error;
      await sleep(ASK_AGAIN_AFTER_MS);
    }
  }
}

/** A question to Redis, asked again while Redis is away or refuses. */
export function untilRedisAnswers<T>(ask: () => Promise<T>): Promise<T> {
  return retryWhile(isRedisUnavailable, ask);
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * A call to a process of the fleet, repeated while the process cannot be reached or answers 5xx. `url` is asked for each
 * time: another process may have taken the place of the first.
 */
export function untilProcessAnswers(url: () => string, init: RequestInit = {}): Promise<HttpAnswer> {
  return retryWhile(
    () => true,
    async () => {
      const response = await fetch(url(), { ...init, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
      const text = await response.text();
      if (response.status >= 500) throw new Error(`${url()}: ${response.status} ${text}`);
      return { status: response.status, text };
    },
  );
}

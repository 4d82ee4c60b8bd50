/**
 * Tries a call again where another try may work, with full jitter (a random share of a delay that doubles, so that
 * callers who failed together do not come back together), no sooner than the other side asked for, until a deadline.
 */
import { setTimeout as sleepFor } from 'node:timers/promises';
import { UnavailableError } from './errors.ts';

// The first delay is 50 ms on average; after six tries they are 2.5 s.
const DELAY_MS = 100;
const DELAY_MAX_MS = 5_000;

export interface RetryOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** From 0 to 1. */
  readonly random?: () => number;
  /** Waits between two tries. Rejects when the signal aborts. */
  readonly sleep?: (delayMs: number, signal: AbortSignal) => Promise<unknown>;
}

/** What is waited for after so many tries, beside what the other side asked for. */
export function jitterMs(tries: number, random: () => number): number {
  return random() * Math.min(DELAY_MAX_MS, DELAY_MS * 2 ** (tries - 1));
}

/** `attempt` is given a signal that ends with the deadline, or with the caller's. */
export async function withRetries<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  { deadlineMs, signal, random = Math.random, sleep = sleepUntilAborted }: RetryOptions,
): Promise<T> {
  signal?.throwIfAborted();
  const deadline = performance.now() + deadlineMs;
  const ending = new AbortController();
  const onAbort = () => ending.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => ending.abort(), deadlineMs);
  let tries = 0;
  let last: UnavailableError | undefined;
  const giveUp = () => {
    const reason = last?.message ?? 'no answer';
    return new UnavailableError(
      `hookfleet was not available: ${reason} (tries: ${tries}, within ${deadlineMs} ms)`,
      {
        cause: last?.cause ?? last,
        retryAfterMs: last?.retryAfterMs,
      },
    );
  };
  try {
    for (;;) {
      tries += 1;
      try {
        return await attempt(ending.signal);
      } catch (error) {
        signal?.throwIfAborted();
        if (ending.signal.aborted) throw giveUp();
        if (!(error instanceof UnavailableError)) throw error;
        last = error;
      }
      const delayMs = jitterMs(tries, random) + (last.retryAfterMs ?? 0);
      if (performance.now() + delayMs >= deadline) throw giveUp();
      // The deadline ends it early, or the caller.
      await sleep(delayMs, ending.signal).catch(() => undefined);
      signal?.throwIfAborted();
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

const sleepUntilAborted = (delayMs: number, signal: AbortSignal) => sleepFor(delayMs, undefined, { signal });

/**
 * When a webhook is tried again: one pure function of five visible steps (base, jitter, Retry-After, clamp, total time).
 * The attempt's number picks the delay; there is no state.
 */
import { parseRetryAfterMs, type RetryPolicy } from '@hookfleet/contract';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

export const DEFAULT_RETRY_POLICY = {
  delaysMs: [
    2 * SECOND_MS,
    10 * SECOND_MS,
    MINUTE_MS,
    5 * MINUTE_MS,
    30 * MINUTE_MS,
    2 * HOUR_MS,
    6 * HOUR_MS,
  ],
  // Spreads what failed together, so that it doesn't come back together.
  jitter: 0.2,
} as const satisfies RetryPolicy;

/** A destination that asks for more patience than the longest of our own delays gets that. */
export const RETRY_AFTER_MAX_MS = 6 * HOUR_MS;

export interface RetryInput {
  /** The attempt that has just ended, from 1. */
  readonly attempt: number;
  readonly policy: RetryPolicy | undefined;
  /** When the webhook was accepted, or was to be delivered, or replayed; milliseconds since 1970. */
  readonly dueAtMs: number;
  /** The response's Retry-After header, as it came. */
  readonly retryAfter: string | undefined;
  readonly nowMs: number;
  /** From 0 up to 1. */
  readonly random: number;
}

/** Milliseconds until the next attempt, or undefined where the policy has none left. */
export function retryDelayMs(input: RetryInput): number | undefined {
  const { attempt, policy, dueAtMs, retryAfter, nowMs, random } = input;
  const {
    delaysMs,
    jitter = DEFAULT_RETRY_POLICY.jitter,
    totalMs = Number.POSITIVE_INFINITY,
  }: RetryPolicy = policy ?? DEFAULT_RETRY_POLICY;
  const base = delaysMs[attempt - 1];
  if (base === undefined) return undefined;
  const jittered = base * (1 + jitter * (2 * random - 1));
  const asked = Math.min(parseRetryAfterMs(retryAfter, nowMs) ?? 0, RETRY_AFTER_MAX_MS);
  const delayMs = Math.round(Math.max(jittered, asked));
  return nowMs + delayMs - dueAtMs > totalMs ? undefined : delayMs;
}

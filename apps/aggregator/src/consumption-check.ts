/**
 * The aggregator's health is that it consumes: results wait, and yet none was counted for a while, means that it is
 * stuck, whatever its connections say. A restart mends it. While Redis is away there is nothing to consume.
 */
import type { Check } from '@hookfleet/runtime';

export const STUCK_AFTER_MS = 30_000;

export interface ConsumptionInput {
  /** When a results job was last finished, or the queue found empty. Milliseconds since 1970. */
  readonly lastProgressAt: () => number;
  /** Undefined where none wait, or it isn't known. */
  readonly resultsWaitSinceMs: () => number | undefined;
  readonly now: () => number;
}

export function createConsumptionCheck({ lastProgressAt, resultsWaitSinceMs, now }: ConsumptionInput): Check {
  return () => {
    const waitSinceMs = resultsWaitSinceMs();
    if (waitSinceMs === undefined) return undefined;
    // After a quiet hour the last progress is an hour ago: what counts is how long results have waited since.
    const stuckMs = now() - Math.max(waitSinceMs, lastProgressAt());
    if (stuckMs < STUCK_AFTER_MS) return undefined;
    return `results wait, and none was counted for ${Math.round(stuckMs / 1000)} s`;
  };
}

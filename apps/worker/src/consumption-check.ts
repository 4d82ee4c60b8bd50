/**
 * The worker's health is that it consumes: webhooks wait, there is room, and yet none was taken for a while means
 * that it is stuck, whatever its connections say (BullMQ's loops have wedged like that after outages). A restart
 * mends it. While Redis is away there is nothing to consume, and a restart would mend nothing.
 */
import type { Check } from '@hookfleet/runtime';

export const STUCK_AFTER_MS = 30_000;

export interface ConsumptionInput {
  /** Milliseconds since 1970. */
  readonly lastProgressAt: () => number;
  /** Attempts in flight: a worker that is full takes nothing, and is well. */
  readonly inFlight: () => number;
  readonly concurrency: number;
  /** Jobs that wait; rejects while Redis is away. */
  readonly waitingJobs: () => Promise<number>;
  readonly now: () => number;
}

export function createConsumptionCheck({
  lastProgressAt,
  inFlight,
  concurrency,
  waitingJobs,
  now,
}: ConsumptionInput): Check {
  return async () => {
    const idleMs = now() - lastProgressAt();
    if (idleMs < STUCK_AFTER_MS || inFlight() >= concurrency) return undefined;
    const waiting = await waitingJobs().catch(() => 0);
    return waiting > 0
      ? `${waiting} jobs wait, and none was taken for ${Math.round(idleMs / 1000)} s`
      : undefined;
  };
}

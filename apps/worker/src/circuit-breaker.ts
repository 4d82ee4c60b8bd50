/**
 * When a lane's circuit opens and how long it stays so: pure. A destination that answers at all, be it with a 404, is
 * alive; one that gives 5xx, 429 or nothing, many times in a row and for a while, is better left alone for a moment.
 */
import type { Outcome } from '@hookfleet/contract';
import type { Circuit } from '@hookfleet/queue';

export interface Health {
  /** Failures since the last answer that was none. */
  readonly failures: number;
  /** Of the last such answer, or of the first attempt. */
  readonly aliveAtMs: number;
}

// Both must be reached: twenty failures at once may be a restart, two of them within a minute bad luck.
const FAILURES = 20;
const FAILING_FOR_MS = 3_000;
const COOLDOWN_FIRST_MS = 5_000;
const COOLDOWN_MAX_MS = 300_000;

export function isFailure({ event, statusCode }: Pick<Outcome, 'event' | 'statusCode'>): boolean {
  return event === 'webhook.bounced' || statusCode === 429;
}

export function healthAfter(health: Health | undefined, failed: boolean, nowMs: number): Health {
  if (!failed) return { failures: 0, aliveAtMs: nowMs };
  return { failures: (health?.failures ?? 0) + 1, aliveAtMs: health?.aliveAtMs ?? nowMs };
}

export function shouldOpen({ failures, aliveAtMs }: Health, nowMs: number): boolean {
  return failures >= FAILURES && nowMs - aliveAtMs >= FAILING_FOR_MS;
}

export function opened(why: string, nowMs: number): Circuit {
  return {
    state: 'open',
    sinceMs: nowMs,
    why,
    probeAtMs: nowMs + COOLDOWN_FIRST_MS,
    cooldownMs: COOLDOWN_FIRST_MS,
  };
}

/** While its probe is under way, no other goes out. */
export function probing(circuit: Extract<Circuit, { state: 'open' }>, nowMs: number): Circuit {
  return { ...circuit, probeAtMs: nowMs + Math.max(circuit.cooldownMs, COOLDOWN_FIRST_MS) };
}

/** After a probe that failed: twice the wait, up to five minutes. */
export function stillOpen(circuit: Extract<Circuit, { state: 'open' }>, nowMs: number): Circuit {
  const cooldownMs = Math.min(circuit.cooldownMs * 2, COOLDOWN_MAX_MS);
  return { ...circuit, cooldownMs, probeAtMs: nowMs + cooldownMs };
}

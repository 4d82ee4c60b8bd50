/**
 * When a lane's circuit opens, when it is probed, and when it closes: pure functions, time is an argument.
 *
 * The circuit judges the destination, not its worst webhooks. Only first attempts are evidence. Retries are mostly
 * webhooks that the destination refuses again and again, so a few of them would outvote everything that it accepts.
 * A replay's attempt is not a first attempt either.
 *
 *   closed ──failed first attempts outweigh the others──▶ open ──a probe succeeds──▶ closed
 *                                                           └────a probe fails──▶ open, until the next probe
 *
 * A destination that answers at all, be it with a 404, is alive. One that gives 5xx, 429 or no answer fails.
 */
import type { Outcome } from '@hookfleet/contract';
import type { Circuit } from '@hookfleet/queue';

export type OpenCircuit = Extract<Circuit, { state: 'open' }>;

/** What the first attempts of a lane show while its circuit is closed. */
export interface Evidence {
  /** One for each failed first attempt, less SUCCESS_WEIGHT for each other; from 0 to SCORE_MAX. */
  readonly score: number;
  /** When the score was last 0. */
  readonly healthyAtMs: number;
  /** When the destination's last Retry-After ends; 0 if it sent none. */
  readonly retryAtMs: number;
}

export interface AttemptEnd {
  readonly failed: boolean;
  readonly isFirstAttempt: boolean;
  readonly wasProbe: boolean;
  /** The response's Retry-After, from its arrival on. */
  readonly retryAfterMs: number | undefined;
  readonly why: string;
}

// Both must be reached: thirty failures at once may be a restart, a few of them within a minute bad luck.
const OPEN_AT_SCORE = 30;
const FAILING_FOR_MS = 3_000;
// While more than one in thirteen first attempts succeeds, the score falls, and the circuit stays closed. With these
// values a destination that answers half of its first attempts is held back for next to none of the time, and one that
// answers a tenth for most of it (heldByShare in test/simulate-circuit.ts).
const SUCCESS_WEIGHT = 12;
// Nine successes in a row end any streak of failures. With a lower bound, a few lucky answers of a destination that
// nearly always fails would keep its circuit closed.
const SCORE_MAX = 100;

const PROBE_INTERVAL_MIN_MS = 2_500;
// A recovery is to be noticed within 10 s. The probe itself needs some of that.
const PROBE_INTERVAL_MAX_MS = 9_000;
// Longer waits are not granted. Who answers with `Retry-After: 86400` is often back in minutes, all of the destination's
// webhooks wait for this one header, and a request every five minutes is a small load for anybody.
export const PROBE_RETRY_AFTER_MAX_MS = 5 * 60_000;

// Hundreds of attempts that end at once ask for the same: only a probe that is later by this is worth a change.
const ASKED_LATER_MIN_MS = 1_000;

export function isFailure({ event, statusCode }: Pick<Outcome, 'event' | 'statusCode'>): boolean {
  return event === 'webhook.bounced' || statusCode === 429;
}

/** Leaves the evidence as it is unless the attempt is a first one. */
export function evidenceAfter(
  evidence: Evidence | undefined,
  { failed, isFirstAttempt, retryAfterMs }: Pick<AttemptEnd, 'failed' | 'isFirstAttempt' | 'retryAfterMs'>,
  nowMs: number,
): Evidence | undefined {
  if (!isFirstAttempt) return evidence;
  const { score, healthyAtMs, retryAtMs } = evidence ?? { score: 0, healthyAtMs: nowMs, retryAtMs: 0 };
  const next = failed ? Math.min(score + 1, SCORE_MAX) : Math.max(score - SUCCESS_WEIGHT, 0);
  return {
    score: next,
    // A streak begins with its first failure, however long ago the success before it was.
    healthyAtMs: score === 0 || next === 0 ? nowMs : healthyAtMs,
    retryAtMs: retryAfterMs === undefined ? retryAtMs : nowMs + retryAfterMs,
  };
}

export function shouldOpen({ score, healthyAtMs }: Evidence, nowMs: number): boolean {
  return score >= OPEN_AT_SCORE && nowMs - healthyAtMs >= FAILING_FOR_MS;
}

export function opened(why: string, nowMs: number, retryAfterMs: number | undefined): OpenCircuit {
  const circuit = {
    state: 'open',
    sinceMs: nowMs,
    why,
    probeAtMs: nowMs + PROBE_INTERVAL_MIN_MS,
    cooldownMs: PROBE_INTERVAL_MIN_MS,
  } as const;
  return heeding(circuit, nowMs, retryAfterMs);
}

/** Probed no sooner than the destination asked for, now or before. */
function heeding(circuit: OpenCircuit, nowMs: number, retryAfterMs = 0): OpenCircuit {
  const askedUntilMs = Math.max(
    circuit.askedUntilMs ?? 0,
    nowMs + Math.min(retryAfterMs, PROBE_RETRY_AFTER_MAX_MS),
  );
  if (askedUntilMs <= nowMs) return circuit;
  return { ...circuit, askedUntilMs, probeAtMs: Math.max(circuit.probeAtMs, askedUntilMs) };
}

/**
 * A probe goes out. Until it ends no other does, unless it takes longer than the longest interval: a destination that
 * hangs would be left alone for a whole timeout after its recovery, and a worker that dies would take its probe with it.
 */
export function probing(circuit: OpenCircuit, nowMs: number): OpenCircuit {
  return { ...circuit, probeAtMs: nowMs + PROBE_INTERVAL_MAX_MS };
}

/** Undefined stands for closed. A failed retry says little about the destination: the interval grows by first attempts. */
export function afterProbe(
  circuit: OpenCircuit,
  { failed, isFirstAttempt, retryAfterMs }: Pick<AttemptEnd, 'failed' | 'isFirstAttempt' | 'retryAfterMs'>,
  nowMs: number,
): OpenCircuit | undefined {
  if (!failed) return undefined;
  const cooldownMs = Math.min(circuit.cooldownMs * (isFirstAttempt ? 2 : 1), PROBE_INTERVAL_MAX_MS);
  return heeding({ ...circuit, cooldownMs, probeAtMs: nowMs + cooldownMs }, nowMs, retryAfterMs);
}

/**
 * What was under way when the circuit opened belongs to the evidence that opened it: of a destination that fails nearly
 * always, some of it succeeds. But what it asks for counts, for the worker that opened the circuit may not have been told.
 */
function afterOther(
  circuit: OpenCircuit,
  { failed, retryAfterMs }: Pick<AttemptEnd, 'failed' | 'retryAfterMs'>,
  nowMs: number,
): OpenCircuit | 'unchanged' {
  if (!failed || retryAfterMs === undefined) return 'unchanged';
  const heeded = heeding(circuit, nowMs, retryAfterMs);
  return heeded.probeAtMs - circuit.probeAtMs < ASKED_LATER_MIN_MS ? 'unchanged' : heeded;
}

/** What an attempt makes of its lane's circuit. `evidence` holds the attempt already. */
export function circuitAfter(
  circuit: OpenCircuit | undefined,
  end: AttemptEnd,
  evidence: Evidence | undefined,
  nowMs: number,
): OpenCircuit | undefined | 'unchanged' {
  if (circuit !== undefined)
    return end.wasProbe ? afterProbe(circuit, end, nowMs) : afterOther(circuit, end, nowMs);
  // Only a first attempt opens a circuit: by a retry, nothing new is known.
  if (!end.failed || !end.isFirstAttempt || evidence === undefined) return 'unchanged';
  if (!shouldOpen(evidence, nowMs)) return 'unchanged';
  return opened(end.why, nowMs, Math.max(0, evidence.retryAtMs - nowMs));
}

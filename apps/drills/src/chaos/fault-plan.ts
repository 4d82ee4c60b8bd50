/**
 * What is broken, in which order and when: all of it from one number, so that a run that failed can be run again.
 * The plan is the same each time; how it meets the work of the moment is not.
 */

export const FAULT_KINDS = [
  'worker-kill',
  'worker-term',
  'aggregator-kill',
  'aggregator-term',
  'producer-kill',
  'producer-term',
  'clock-jump',
  'redis-kill',
  'redis-freeze',
  'redis-full',
  'redis-cut',
  'redis-stall',
  'redis-delay',
  'redis-half-open',
  'redis-reply-lost',
  'destination-cut',
  'destination-stall',
  'destination-delay',
  'destination-half-open',
  'destination-reply-lost',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** After the begin of the fault before: faults overlap. */
  readonly waitMs: number;
  /** How long an outage holds. */
  readonly holdMs: number;
  /** From 0 up to 1: chooses among the processes that the fault can hit. */
  readonly target: number;
  /** Of a clock: by how much it is off while the fault holds. */
  readonly clockMs: number;
}

const WAIT_MIN_MS = 300;
const WAIT_SPAN_MS = 900;
// Well below the drill's lock duration: a lock that runs out repeats deliveries without any process having died.
const HOLD_MIN_MS = 200;
const HOLD_SPAN_MS = 1_000;
// What a clock that was ahead has scheduled comes so much later when it is right again: the drill waits for it.
const CLOCK_BACK_MS = 120_000;
const CLOCK_AHEAD_MS = 5_000;

/** Each kind once, in an order of the seed's, then each once again, and so on. */
export function planFaults(seed: number, count: number): Fault[] {
  const random = randomOf(seed);
  let left: FaultKind[] = [];
  return Array.from({ length: count }, () => {
    if (left.length === 0) left = [...FAULT_KINDS];
    const [kind] = left.splice(Math.floor(random() * left.length), 1) as [FaultKind];
    return {
      kind,
      waitMs: Math.round(WAIT_MIN_MS + random() * WAIT_SPAN_MS),
      holdMs: Math.round(HOLD_MIN_MS + random() * HOLD_SPAN_MS),
      target: random(),
      clockMs: Math.round(random() < 0.5 ? -random() * CLOCK_BACK_MS : random() * CLOCK_AHEAD_MS),
    };
  });
}

/** Mulberry32: small, of known quality, and the same on every machine. From 0 up to 1. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

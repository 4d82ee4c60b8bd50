/**
 * The steps of a series: how long each is, how its buckets are kept in Redis (some steps to a hash, so that whole
 * hashes expire), and for how long. Buckets are UTC.
 */
export const STEPS = ['minute', 'hour', 'day'] as const;

export type Step = (typeof STEPS)[number];

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const STEP_MS: Readonly<Record<Step, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

/** Steps in a hash: a day of minutes, a month of hours, a year of days. */
export const STEPS_PER_HASH: Readonly<Record<Step, number>> = { minute: 1_440, hour: 744, day: 366 };

/** Points that one answer holds at most. */
export const POINTS_MAX = 3_000;

/** How long buckets are kept, in milliseconds. */
export type StepRetention = Readonly<Record<Step, number>>;

// An event this far ahead of our clock comes from a clock that is wrong: it is counted, but in no bucket.
const FUTURE_MAX_MS = DAY_MS;

/** The bucket's number since 1970, or undefined where the time is outside what is kept. */
export function bucketIndex(
  step: Step,
  atMs: number,
  nowMs: number,
  retention: StepRetention,
): number | undefined {
  if (atMs < nowMs - retention[step] || atMs > nowMs + FUTURE_MAX_MS) return undefined;
  return Math.floor(atMs / STEP_MS[step]);
}

export function hashIndexOf(step: Step, bucket: number): number {
  return Math.floor(bucket / STEPS_PER_HASH[step]);
}

/** From its last write a hash lives until the last of its buckets is past its retention. */
export function hashLifetimeMs(step: Step, retention: StepRetention): number {
  return retention[step] + STEPS_PER_HASH[step] * STEP_MS[step] + FUTURE_MAX_MS;
}

/**
 * The steps of a campaign's series, in UTC, and where a step's counts are kept.
 *
 * A step's counts are fields of a hash, and a hash holds a chunk of neighbouring steps. A chunk expires as a whole
 * when the last of its steps is past the retention: nobody has to sweep, and no key is without an end.
 */
export const SERIES_STEPS = ['minute', 'hour', 'day'] as const;

export type SeriesStep = (typeof SERIES_STEPS)[number];

/** How long the counts of each step are kept, in milliseconds. */
export type SeriesRetention = Readonly<Record<SeriesStep, number>>;

const MINUTE_MS = 60_000;

export const STEP_MS: Readonly<Record<SeriesStep, number>> = {
  minute: MINUTE_MS,
  hour: 60 * MINUTE_MS,
  day: 24 * 60 * MINUTE_MS,
};

// An hour of minutes, a day of hours, a month of days: some hundred fields at most, few keys to read for a graph.
export const STEPS_PER_CHUNK: Readonly<Record<SeriesStep, number>> = { minute: 60, hour: 24, day: 30 };

// A clock that is ahead by more than this is wrong: its buckets are refused, or it would make keys without bound.
export const AHEAD_MAX_MS = 24 * 60 * MINUTE_MS;

export interface StepPlace {
  readonly chunk: number;
  /** Within the chunk. */
  readonly offset: number;
}

/** Where the counts of the step that holds this moment are. */
export function placeOf(step: SeriesStep, atMs: number): StepPlace {
  const index = Math.floor(atMs / STEP_MS[step]);
  const chunk = Math.floor(index / STEPS_PER_CHUNK[step]);
  return { chunk, offset: index - chunk * STEPS_PER_CHUNK[step] };
}

/** When a chunk may go: its last step has ended and the retention is over. */
export function chunkExpiresAtMs(step: SeriesStep, chunk: number, retention: SeriesRetention): number {
  return (chunk + 1) * STEPS_PER_CHUNK[step] * STEP_MS[step] + retention[step];
}

/** False for a moment that is past the retention, or ahead of any clock that could be right. */
export function isKept(step: SeriesStep, atMs: number, nowMs: number, retention: SeriesRetention): boolean {
  return atMs >= nowMs - retention[step] && atMs <= nowMs + AHEAD_MAX_MS;
}

/** The range from `fromMs` up to, not including, `toMs`, widened to whole steps. */
export function widen(step: SeriesStep, fromMs: number, toMs: number): { fromMs: number; toMs: number } {
  const stepMs = STEP_MS[step];
  return { fromMs: Math.floor(fromMs / stepMs) * stepMs, toMs: Math.ceil(toMs / stepMs) * stepMs };
}

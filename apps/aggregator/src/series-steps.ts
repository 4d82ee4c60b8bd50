/**
 * The steps that a campaign's counts are kept in, all in UTC, and where. What is asked for (series-calendar.ts) is
 * put together from them: hours from half hours, weeks and months from days, and the days of a time zone from half
 * hours, for nearly all zones are a whole number of half hours away from UTC.
 *
 * A step's counts are fields of a hash, and a hash holds a chunk of neighbouring steps. A chunk expires as a whole
 * when the last of its steps is past the retention: nobody has to sweep, and no key is without an end.
 */
export const SERIES_STEPS = ['minute', 'halfHour', 'day'] as const;

export type SeriesStep = (typeof SERIES_STEPS)[number];

/** How long the counts of each step are kept, in milliseconds. */
export type SeriesRetention = Readonly<Record<SeriesStep, number>>;

const MINUTE_MS = 60_000;

export const STEP_MS: Readonly<Record<SeriesStep, number>> = {
  minute: MINUTE_MS,
  halfHour: 30 * MINUTE_MS,
  day: 24 * 60 * MINUTE_MS,
};

// An hour of minutes, half a day of half hours, a month of days: some hundred fields at most, few keys for a graph.
export const STEPS_PER_CHUNK: Readonly<Record<SeriesStep, number>> = { minute: 60, halfHour: 24, day: 30 };

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

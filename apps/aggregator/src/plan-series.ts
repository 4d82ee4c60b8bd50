/**
 * Which of the kept steps answer a series. Pure.
 *
 * The coarsest whose bounds meet all bounds of the series will do: days for the days of UTC, half hours for those of
 * most zones, minutes for the few zones that are a quarter of an hour off. Where the finer ones are no longer kept,
 * the next coarser stand in, each counted where most of its time lies: the answer is then right but for what happened
 * near a step's edge, and says up to when (`exactFromMs`).
 */
import type { CalendarStep } from './series-calendar.ts';
import { AHEAD_MAX_MS, type SeriesRetention, type SeriesStep, STEP_MS } from './series-steps.ts';

/** Counts of a kept step to be read, from `fromMs` up to, not including, `toMs`. */
export interface SeriesReading {
  readonly step: SeriesStep;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface SeriesPlan {
  /** Of times that don't overlap. */
  readonly readings: readonly SeriesReading[];
  /** Before it nothing is kept that could answer. */
  readonly keptFromMs: number;
  /** From then on every count is in the step that it belongs to. */
  readonly exactFromMs: number;
}

/** The coarsest that may stand in: an hour can't be told from a day. */
const COARSEST: Readonly<Record<CalendarStep, SeriesStep>> = {
  minute: 'minute',
  hour: 'halfHour',
  day: 'day',
  week: 'day',
  month: 'day',
};

export interface SeriesPlanOptions {
  readonly step: CalendarStep;
  readonly bounds: readonly number[];
  /** The kept steps that hold what is asked for, the finest first. */
  readonly kept: readonly SeriesStep[];
  readonly retention: SeriesRetention;
  readonly nowMs: number;
}

export function planSeries({ step, bounds, kept, retention, nowMs }: SeriesPlanOptions): SeriesPlan {
  const fromMs = bounds[0] as number;
  const endMs = bounds.at(-1) as number;
  const usable = kept.filter((one) => STEP_MS[one] <= STEP_MS[COARSEST[step]]);
  const exact = usable.findLastIndex((one) => bounds.every((bound) => bound % STEP_MS[one] === 0));
  const sources = usable.slice(Math.max(0, exact));
  // Nothing is counted further ahead.
  let toMs = Math.min(endMs, roundUp(nowMs + AHEAD_MAX_MS, STEP_MS.day));
  let exactFromMs = exact === -1 ? endMs : Number.NEGATIVE_INFINITY;
  let keptFromMs = toMs;
  const readings: SeriesReading[] = [];
  for (const [i, source] of sources.entries()) {
    // Where the next coarser takes over, one of its steps must begin.
    const edge = STEP_MS[sources[i + 1] ?? source];
    const sinceMs = roundUp(nowMs - retention[source], edge);
    if (sinceMs >= keptFromMs && i > 0) continue;
    keptFromMs = sinceMs;
    if (i === 0) exactFromMs = Math.max(exactFromMs, sinceMs);
    const startMs = Math.max(Math.floor(fromMs / STEP_MS[source]) * STEP_MS[source], sinceMs);
    // Nothing is left for it, or it begins with what a finer one has read.
    if (startMs >= toMs || toMs <= fromMs) continue;
    readings.push({ step: source, fromMs: startMs, toMs });
    toMs = startMs;
  }
  return { readings, keptFromMs, exactFromMs: Math.max(exactFromMs, keptFromMs) };
}

/** The series' step in which most of a kept step's time lies; -1 outside of the range. */
export function stepOf(bounds: readonly number[], atMs: number, step: SeriesStep): number {
  const middleMs = atMs + STEP_MS[step] / 2;
  let low = 0;
  let high = bounds.length - 1;
  if (middleMs < (bounds[0] as number) || middleMs >= (bounds[high] as number)) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] as number) <= middleMs) low = middle;
    else high = middle;
  }
  return low;
}

function roundUp(atMs: number, toMs: number): number {
  return Math.ceil(atMs / toMs) * toMs;
}

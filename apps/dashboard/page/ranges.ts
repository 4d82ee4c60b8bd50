/** The ranges that can be chosen, and the step that shows each best. Pure. */
export const RANGES = ['1h', '24h', '7d', '30d', 'all'] as const;

export type RangeName = (typeof RANGES)[number];

export const STEPS = ['minute', 'hour', 'day', 'week', 'month'] as const;

export type Step = (typeof STEPS)[number];

export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const SPANS_MS: Readonly<Record<Exclude<RangeName, 'all'>, number>> = {
  '1h': HOUR_MS,
  '24h': DAY_MS,
  '7d': 7 * DAY_MS,
  '30d': 30 * DAY_MS,
};

// A graph by the minute of less would be one bar.
const YOUNG_MS = 5 * MINUTE_MS;
// Minutes are kept for two days unless an operator says otherwise.
const MINUTES_KEPT_MS = 2 * DAY_MS;
// More bars than this are thinner than a line.
const BARS_MAX = 200;

export function rangeOf(name: RangeName, nowMs: number, firstEventAt: string | undefined): Range {
  if (name !== 'all') return { fromMs: nowMs - SPANS_MS[name], toMs: nowMs };
  const fromMs = firstEventAt === undefined ? nowMs - DAY_MS : Math.min(nowMs, Date.parse(firstEventAt));
  // A young campaign has room to grow into, and does not stand at the end of an empty hour.
  return { fromMs, toMs: Math.max(nowMs, fromMs + YOUNG_MS) };
}

/** What is shown first: all of it, or of a long one the last month. */
export function rangeNameFor(firstEventAt: string | undefined, nowMs: number): RangeName {
  const agoMs = firstEventAt === undefined ? 0 : nowMs - Date.parse(firstEventAt);
  return agoMs <= SPANS_MS['30d'] ? 'all' : '30d';
}

export function stepFor({ fromMs, toMs }: Range, nowMs: number): Step {
  const spanMs = toMs - fromMs;
  if (spanMs <= BARS_MAX * MINUTE_MS && fromMs >= nowMs - MINUTES_KEPT_MS) return 'minute';
  if (spanMs <= BARS_MAX * HOUR_MS) return 'hour';
  if (spanMs <= BARS_MAX * DAY_MS) return 'day';
  return spanMs <= 5 * 365 * DAY_MS ? 'week' : 'month';
}

/** Steps that make a graph of some points and not of thousands. */
export function stepsFor({ fromMs, toMs }: Range): Step[] {
  const lengths: Readonly<Record<Step, number>> = {
    minute: MINUTE_MS,
    hour: HOUR_MS,
    day: DAY_MS,
    week: 7 * DAY_MS,
    month: 30 * DAY_MS,
  };
  return STEPS.filter((step) => (toMs - fromMs) / lengths[step] <= 2_900);
}

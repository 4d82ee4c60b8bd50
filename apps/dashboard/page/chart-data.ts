/** From a series to what is drawn: which names in which order, stacked or as shares. Pure. */
import type { Series } from './types.ts';

// More can't be told apart; the rest is drawn as one.
const NAMES_MAX = 8;
const REST = 'all others';
const OUTCOMES = ['webhook.delivered', 'webhook.bounced', 'webhook.error'];

export interface Drawn {
  readonly names: readonly string[];
  /** Seconds since 1970: the steps' starts. */
  readonly times: readonly number[];
  /** By name and step, as counted; null where there is no value. */
  readonly values: readonly (readonly (number | null)[])[];
  /** By name and step: each with those before it added. */
  readonly stacked: readonly (readonly number[])[];
}

/** Outcomes first, in their order; then the others, the most first. */
export function namesOf(totals: Readonly<Record<string, number>>, groupBy: string): string[] {
  const outcomes = groupBy === 'event' ? OUTCOMES : [];
  const others = Object.entries(totals)
    .filter(([name]) => !outcomes.includes(name))
    .sort(([, a], [, b]) => b - a)
    .map(([name]) => name);
  return [...outcomes, ...others];
}

export function drawCounts({ points, totals, groupBy }: Series): Drawn {
  const all = namesOf(totals, groupBy);
  const shown = all.length > NAMES_MAX ? all.slice(0, NAMES_MAX - 1) : all;
  const rest = all.slice(shown.length);
  const names = rest.length > 0 ? [...shown, REST] : shown;
  const values = names.map((name) =>
    points.map(({ counts }) =>
      name === REST && rest.length > 0
        ? rest.reduce((sum, one) => sum + countOf(counts, one), 0)
        : countOf(counts, name),
    ),
  );
  const below = points.map(() => 0);
  const stacked = values.map((counts) =>
    counts.map((count, i) => {
      below[i] = (below[i] ?? 0) + count;
      return below[i] as number;
    }),
  );
  return { names, times: timesOf(points), values, stacked };
}

export function drawRates({ points }: Series): Drawn {
  const values = (['delivered', 'bounced', 'error'] as const).map((name) =>
    points.map(({ rates }) => rates?.[name] ?? null),
  );
  return { names: OUTCOMES, times: timesOf(points), values, stacked: [] };
}

// Names are ids that callers chose: what a plain object inherits is no count of "constructor".
export function countOf(counts: Readonly<Record<string, number>>, name: string): number {
  return Object.hasOwn(counts, name) ? (counts[name] as number) : 0;
}

function timesOf(points: Series['points']): number[] {
  return points.map(({ at }) => Date.parse(at) / 1_000);
}

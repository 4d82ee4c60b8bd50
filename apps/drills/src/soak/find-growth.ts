/**
 * Does something grow? Decided by the Theil-Sen slope, the median of the slopes of all pairs of samples, which a few wild
 * samples don't move, and by the interval around it (Sen 1968): growth counts where even its lower end is above nought,
 * and where what it adds up to is more than such a thing varies by without growing. Pure.
 */

/** `atMs`: of any clock that runs evenly. */
export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

export interface Slope {
  readonly perMinute: number;
  /** The lower end of the interval that holds the slope in 99 cases of a hundred. */
  readonly lowPerMinute: number;
}

export interface Tolerance {
  readonly absolute: number;
  /** Of what there was: 0.1 is a tenth. */
  readonly relative: number;
}

const Z_99 = 2.576;
const SAMPLES_MIN = 8;
const MINUTE_MS = 60_000;

/** Undefined for too few samples to say. */
export function slopeOf(samples: readonly Sample[]): Slope | undefined {
  const n = samples.length;
  if (n < SAMPLES_MIN) return undefined;
  const slopes = samples
    .flatMap((a, i) => samples.slice(i + 1).map((b) => (b.value - a.value) / (b.atMs - a.atMs)))
    .sort((a, b) => a - b);
  // Of Kendall's statistic, without ties: how many pairs lie the other way by chance.
  const spread = Z_99 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const low = slopes[Math.max(0, Math.floor((slopes.length - spread) / 2))] as number;
  return { perMinute: medianOf(slopes) * MINUTE_MS, lowPerMinute: low * MINUTE_MS };
}

/** What was added from the first sample to the last, by the slope; 0 where it is too little, or may be chance. */
export function growthOf(samples: readonly Sample[], tolerance: Tolerance): number {
  const slope = slopeOf(samples);
  if (slope === undefined || slope.lowPerMinute <= 0) return 0;
  const minutes = ((samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0)) / MINUTE_MS;
  return beyond(slope.perMinute * minutes, medianOf(samples.map(({ value }) => value)), tolerance);
}

/** What was added between two times of rest, by their medians; 0 where it is too little. */
export function addedBetween(
  before: readonly Sample[],
  after: readonly Sample[],
  tolerance: Tolerance,
): number {
  if (before.length === 0 || after.length === 0) return 0;
  const [was, is] = [before, after].map((samples) => medianOf(samples.map(({ value }) => value)));
  return beyond((is as number) - (was as number), was as number, tolerance);
}

function beyond(added: number, from: number, { absolute, relative }: Tolerance): number {
  return added > Math.max(absolute, relative * from) ? added : 0;
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
}

/**
 * Latencies as a histogram of exponential buckets: any percentile within 5 % of the truth, from a few dozen counters
 * that several processes may add to (the idea of DDSketch, Masson et al. 2019). Bucket 0 holds what took no
 * measurable time.
 */
const RELATIVE_ERROR = 0.05;
const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);

/** Bucket i > 0 holds GAMMA^(i-2) < ms <= GAMMA^(i-1): 1 ms is in bucket 1. */
export function latencyBucketOf(durationMs: number): number {
  if (!(durationMs > 0)) return 0;
  return Math.max(1, Math.ceil(Math.log(durationMs) / LOG_GAMMA) + 1);
}

/** The value that is within 5 % of everything in the bucket, in milliseconds. */
export function latencyOfBucket(bucket: number): number {
  if (bucket <= 0) return 0;
  return (2 * GAMMA ** (bucket - 1)) / (GAMMA + 1);
}

/** The quantile (0 to 1) of what was counted, in milliseconds; 0 where nothing was. */
export function quantile(counts: ReadonlyMap<number, number>, q: number): number {
  const buckets = [...counts].filter(([, count]) => count > 0).sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  // The nearest rank: the smallest value with at least q of all at or below it.
  let remaining = Math.max(1, Math.ceil(q * total));
  for (const [bucket, count] of buckets) {
    remaining -= count;
    if (remaining <= 0) return latencyOfBucket(bucket);
  }
  return 0;
}

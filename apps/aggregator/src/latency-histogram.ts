/**
 * How long attempts took, as a histogram that fits a Redis hash: each bucket is 9 % wider than the one before, so a
 * percentile read from it is within 5 % of the true one, whatever the durations are, and several processes may add
 * to it (the idea of DDSketch, Masson et al. 2019).
 */

// Durations up to this one share bucket 0: below it a percentile tells of timers, not of destinations.
const FIRST_BOUND_MS = 0.1;
const GROWTH = 1.09;
// No attempt may last longer than a minute; ten leave room, and bound the number of buckets.
const LAST_BOUND_MS = 600_000;

export const LATENCY_BUCKETS = Math.ceil(Math.log(LAST_BOUND_MS / FIRST_BOUND_MS) / Math.log(GROWTH)) + 1;

/** The bucket of a duration: bucket i holds those above 0.1 ms × 1.09^(i-1), up to 0.1 ms × 1.09^i. */
export function bucketOf(durationMs: number): number {
  if (!(durationMs > FIRST_BOUND_MS)) return 0;
  const bucket = Math.ceil(Math.log(durationMs / FIRST_BOUND_MS) / Math.log(GROWTH));
  return Math.min(bucket, LATENCY_BUCKETS - 1);
}

/**
 * The duration that a share `q` of the attempts did not exceed, to three digits; 0 where there was no attempt.
 * `counts` holds the attempts by bucket.
 */
export function percentile(counts: ReadonlyMap<number, number>, q: number): number {
  const buckets = [...counts].sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  const rank = Math.max(1, Math.ceil(q * total));
  let below = 0;
  for (const [bucket, count] of buckets) {
    below += count;
    if (below >= rank) return midpointMs(bucket);
  }
  return 0;
}

/** The value whose relative distance to both bounds of the bucket is the same: 4.3 %. */
function midpointMs(bucket: number): number {
  if (bucket === 0) return FIRST_BOUND_MS;
  const upperMs = FIRST_BOUND_MS * GROWTH ** bucket;
  return Number(((2 * upperMs) / (1 + GROWTH)).toPrecision(3));
}

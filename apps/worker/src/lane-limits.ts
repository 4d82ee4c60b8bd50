/** What a channel's or a campaign's limits mean for its lane: pure. */
import type { CampaignControls, Channel } from '@hookfleet/contract';
import type { LaneLimits } from '@hookfleet/queue';

// No bundle is larger.
const WHOLE_BUNDLE = 200;
// A piece holds a quarter of a second's worth, or a quarter of what may be in flight: fine enough to be steady, and
// coarse enough to be cheap.
const PIECES_PER_SECOND = 4;
const PIECES_IN_FLIGHT = 4;

export const NO_LIMITS: LaneLimits = { pieceSize: WHOLE_BUNDLE, intervalMs: 0, burstMs: 0, concurrency: 0 };

export function laneLimits({
  rateLimit,
  concurrencyLimit = 0,
}: Pick<Channel, 'rateLimit' | 'concurrencyLimit'>): LaneLimits {
  const byConcurrency =
    concurrencyLimit === 0 ? WHOLE_BUNDLE : Math.max(1, Math.floor(concurrencyLimit / PIECES_IN_FLIGHT));
  if (rateLimit === undefined)
    return { ...NO_LIMITS, pieceSize: byConcurrency, concurrency: concurrencyLimit };
  const intervalMs = (rateLimit.per === 'second' ? 1_000 : 60_000) / rateLimit.limit;
  const perSecond = 1_000 / intervalMs;
  const burst = rateLimit.burst ?? Math.max(1, Math.floor(perSecond));
  const pieceSize = Math.max(
    1,
    Math.min(byConcurrency, burst, Math.floor(perSecond / PIECES_PER_SECOND), WHOLE_BUNDLE),
  );
  return {
    pieceSize,
    intervalMs,
    // A piece may go while the lane is no further ahead than this; with itself, that is the burst.
    burstMs: Math.max(0, burst - pieceSize) * intervalMs,
    concurrency: concurrencyLimit,
  };
}

export function isLimited({ intervalMs, concurrency }: LaneLimits): boolean {
  return intervalMs > 0 || concurrency > 0;
}

/** Of the campaign's lane, which its rate makes. */
export function campaignLimits({ rateLimit }: Pick<CampaignControls, 'rateLimit'>): LaneLimits {
  return rateLimit === undefined ? NO_LIMITS : laneLimits({ rateLimit });
}

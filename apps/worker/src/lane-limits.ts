/** What a channel's or a campaign's limits mean for its lane: pure. */
import type { CampaignControls, Channel } from '@hookfleet/contract';
import type { LaneLimits } from '@hookfleet/queue';

export const NO_LIMITS: LaneLimits = { intervalMs: 0, burst: 0, concurrency: 0 };

export function laneLimits({
  rateLimit,
  concurrencyLimit = 0,
}: Pick<Channel, 'rateLimit' | 'concurrencyLimit'>): LaneLimits {
  if (rateLimit === undefined) return { ...NO_LIMITS, concurrency: concurrencyLimit };
  const intervalMs = (rateLimit.per === 'second' ? 1_000 : 60_000) / rateLimit.limit;
  const secondsWorth = Math.max(1, Math.floor(1_000 / intervalMs));
  return { intervalMs, burst: rateLimit.burst ?? secondsWorth, concurrency: concurrencyLimit };
}

/** Milliseconds after which a lane that went on is asked again, at the soonest. */
export const PACE_MAX_MS = 25;
const PACE_MIN_MS = 2;

/** The same for a lane with a rate: before its burst is full, for what comes then is lost. */
export function paceOf({ intervalMs, burst }: LaneLimits): number {
  if (intervalMs === 0) return PACE_MAX_MS;
  return Math.min(PACE_MAX_MS, Math.max(PACE_MIN_MS, (intervalMs * burst) / 2));
}

export function isLimited({ intervalMs, concurrency }: LaneLimits): boolean {
  return intervalMs > 0 || concurrency > 0;
}

/** Of the campaign's lane, which its rate makes. */
export function campaignLimits({ rateLimit }: Pick<CampaignControls, 'rateLimit'>): LaneLimits {
  return rateLimit === undefined ? NO_LIMITS : laneLimits({ rateLimit });
}

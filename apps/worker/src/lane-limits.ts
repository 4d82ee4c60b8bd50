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

export function isLimited({ intervalMs, concurrency }: LaneLimits): boolean {
  return intervalMs > 0 || concurrency > 0;
}

/** Of the campaign's lane, which its rate makes. */
export function campaignLimits({ rateLimit }: Pick<CampaignControls, 'rateLimit'>): LaneLimits {
  return rateLimit === undefined ? NO_LIMITS : laneLimits({ rateLimit });
}

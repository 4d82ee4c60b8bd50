/** The campaigns' controls as of a second ago. Redis' failures leave them as they were. */
import {
  type CampaignControlsStore,
  campaignOfLane,
  type LaneLimits,
  type StoredControls,
} from '@hookfleet/queue';
import { laneLimits, NO_LIMITS } from './lane-limits.ts';

const REFRESH_MS = 1_000;

export interface KnownControls {
  /** Is the campaign called off, or its deadline past? */
  isCancelled(campaignId: string): boolean;
  limitsOf(campaignId: string): LaneLimits;
  /** Of a campaign's lane; undefined for another's. */
  limitsOfLane(lane: string): LaneLimits | undefined;
  stop(): Promise<void>;
}

export async function startKnownControls({
  store,
  onError,
  now,
}: {
  store: Pick<CampaignControlsStore, 'version' | 'all'>;
  onError: (error: Error, context: Record<string, unknown>) => void;
  now: () => number;
}): Promise<KnownControls> {
  let controls: ReadonlyMap<string, StoredControls> = new Map();
  let version = '';

  async function refresh(): Promise<void> {
    const latest = await store.version();
    if (latest === version) return;
    controls = await store.all();
    version = latest;
  }

  await refresh();
  let refreshing: Promise<void> | undefined;
  const timer = setInterval(() => {
    refreshing ??= refresh()
      .catch((error: Error) => onError(error, { doing: 'read campaign controls' }))
      .finally(() => {
        refreshing = undefined;
      });
  }, REFRESH_MS);

  function limitsOf(campaignId: string): LaneLimits {
    const rateLimit = controls.get(campaignId)?.rateLimit;
    return rateLimit === undefined ? NO_LIMITS : laneLimits({ rateLimit });
  }

  return {
    limitsOf,
    limitsOfLane(lane) {
      const campaignId = campaignOfLane(lane);
      return campaignId === undefined ? undefined : limitsOf(campaignId);
    },
    isCancelled(campaignId) {
      const { cancelledAtMs, deadline } = controls.get(campaignId) ?? {};
      return cancelledAtMs !== undefined || (deadline !== undefined && now() > Date.parse(deadline));
    },
    async stop() {
      clearInterval(timer);
      await refreshing;
    },
  };
}

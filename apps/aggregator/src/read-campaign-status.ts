/**
 * Adds to campaigns' totals where each stands. However many campaigns are asked for, it costs three reads, and one for
 * each lane that holds webhooks back, up to a bound.
 */
import type { CampaignStatus, CampaignTotals } from '@hookfleet/contract';
import {
  campaignOfLane,
  type CampaignControlsStore,
  type Circuit,
  type Circuits,
  type RedisConnection,
  readCampaignsWaiting,
  readWaiting,
} from '@hookfleet/queue';
import { campaignStatus, circuitOfCampaign } from './campaign-status.ts';
import type { StoredCampaign } from './read-campaigns.ts';

export type CampaignWithStatus = CampaignTotals & { readonly status: CampaignStatus };

/** In the order of what is asked for. */
export type ReadCampaignStatus = (campaigns: readonly StoredCampaign[]) => Promise<CampaignWithStatus[]>;

export interface CampaignStatusOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly controls: Pick<CampaignControlsStore, 'controlsOf'>;
  readonly circuits: Pick<Circuits, 'all'>;
  readonly now: () => number;
}

// Those in which most webhooks wait.
const LANES_LOOKED_AT = 200;

export function createReadCampaignStatus(options: CampaignStatusOptions): ReadCampaignStatus {
  const { connection, prefix, controls, circuits, now } = options;

  /** The lanes that hold webhooks of the campaigns back, by campaign. */
  async function holdsOf(
    campaignIds: readonly string[],
    notClosed: ReadonlyMap<string, Circuit>,
  ): Promise<Map<string, { lane: string; circuit: Circuit }[]>> {
    const waiting = campaignIds.length === 0 ? new Map() : await readWaiting(connection, prefix);
    const lanes = [...notClosed]
      .filter(([lane]) => campaignOfLane(lane) === undefined && (waiting.get(lane)?.webhooks ?? 0) > 0)
      .sort(([a], [b]) => waiting.get(b).webhooks - waiting.get(a).webhooks)
      .slice(0, LANES_LOOKED_AT);
    const holds = new Map<string, { lane: string; circuit: Circuit }[]>();
    await Promise.all(
      lanes.map(async ([lane, circuit]) => {
        for (const id of await readCampaignsWaiting(connection, prefix, lane, campaignIds))
          holds.set(id, [...(holds.get(id) ?? []), { lane, circuit }]);
      }),
    );
    return holds;
  }

  return async (campaigns) => {
    if (campaigns.length === 0) return [];
    const ids = campaigns.map(({ totals }) => totals.campaignId);
    const pending = campaigns.filter(({ totals }) => totals.messages.pending > 0);
    const [stored, [notClosed, holds]] = await Promise.all([
      controls.controlsOf(ids),
      circuits.all().then(async (all) => {
        const pendingIds = pending.map(({ totals }) => totals.campaignId);
        return [all, await holdsOf(pendingIds, all)] as const;
      }),
    ]);
    return campaigns.map(({ totals, firstDueMs }, i) => ({
      ...totals,
      status: campaignStatus({
        messages: totals.messages,
        firstDueMs,
        controls: stored[i] ?? {},
        circuit: circuitOfCampaign(notClosed, totals.campaignId),
        holds: holds.get(totals.campaignId) ?? [],
        nowMs: now(),
      }),
    }));
  };
}

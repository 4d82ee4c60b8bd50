/**
 * Which campaigns there are, by the time of their latest activity, to about a second. The index lies in another slot
 * than the counters, so the two are not written together: a campaign comes here first, or its counters would be there
 * and nobody would find them.
 */
import { createLossCheck, type RedisConnection } from '@hookfleet/queue';
import { campaignsKey } from './campaign-keys.ts';

// A busy campaign is written here once a second by each process, not with each of its results jobs.
const TOUCH_INTERVAL_MS = 1_000;
const TRIM_INTERVAL_MS = 3_600_000;
// Campaigns whose last touch is remembered; beyond it all are forgotten, which costs one write for each.
const REMEMBERED_MAX = 10_000;

export interface CampaignIndex {
  /** Resolves once the campaign is in the index, with an activity of the last second. */
  touch(campaignId: string): Promise<void>;
}

export interface CampaignIndexOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Campaigns without activity for so long have lost their counters, and leave the index. */
  readonly retentionMs: number;
  readonly now: () => number;
}

export function createCampaignIndex(options: CampaignIndexOptions): CampaignIndex {
  const { connection, prefix, retentionMs, now } = options;
  const key = campaignsKey(prefix);
  const touches = new Map<string, { atMs: number; written: Promise<unknown> }>();
  let trimmedAtMs = 0;
  const wasLost = createLossCheck(connection);

  async function write(campaignId: string, atMs: number): Promise<void> {
    await connection.zadd(key, 'GT', atMs, campaignId);
    if (atMs - trimmedAtMs < TRIM_INTERVAL_MS) return;
    trimmedAtMs = atMs;
    await connection.zremrangebyscore(key, '-inf', `(${atMs - retentionMs}`);
  }

  return {
    async touch(campaignId) {
      if (wasLost()) touches.clear();
      const atMs = now();
      const latest = touches.get(campaignId);
      if (latest !== undefined && atMs - latest.atMs < TOUCH_INTERVAL_MS) {
        // Also a write that is under way is waited for: until then nobody finds the campaign.
        await latest.written;
        return;
      }
      if (touches.size >= REMEMBERED_MAX) touches.clear();
      const written = write(campaignId, atMs);
      touches.set(campaignId, { atMs, written });
      try {
        await written;
      } catch (error) {
        touches.delete(campaignId);
        throw error;
      }
    },
  };
}

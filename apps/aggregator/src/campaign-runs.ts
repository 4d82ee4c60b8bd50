/**
 * Which runs a campaign's webhooks have (contract/webhook-id.ts), in a set beside its counters: an audit finds their
 * marks by it. A run is written here before anything of it is counted, once a day by each process.
 */
import { createLossCheck, type RedisConnection } from '@hookfleet/queue';
import { campaignKeys } from './campaign-keys.ts';

const DAY_MS = 86_400_000;
// Runs that are remembered to have been written; beyond it all are forgotten, which costs one write for each.
const REMEMBERED_MAX = 10_000;

export interface CampaignRuns {
  note(campaignId: string, runs: readonly string[]): Promise<void>;
  /** In order. */
  list(campaignId: string): Promise<string[]>;
}

export interface CampaignRunsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Kept so long after the last of them was written, as the marks are. */
  readonly retentionMs: number;
  readonly now: () => number;
}

export function createCampaignRuns({
  connection,
  prefix,
  retentionMs,
  now,
}: CampaignRunsOptions): CampaignRuns {
  const writtenAtMs = new Map<string, number>();
  const wasLost = createLossCheck(connection);
  return {
    async note(campaignId, runs) {
      if (wasLost()) writtenAtMs.clear();
      const atMs = now();
      const nameOf = (run: string) => `${campaignId} ${run}`;
      const news = [...new Set(runs)].filter(
        (run) => atMs - (writtenAtMs.get(nameOf(run)) ?? Number.NEGATIVE_INFINITY) >= DAY_MS,
      );
      if (news.length === 0) return;
      const key = campaignKeys(prefix, campaignId).runs;
      // A day more than the marks: a run that goes on is written again a day later.
      await connection
        .multi()
        .sadd(key, ...news)
        .pexpire(key, retentionMs + DAY_MS)
        .exec();
      if (writtenAtMs.size >= REMEMBERED_MAX) writtenAtMs.clear();
      for (const run of news) writtenAtMs.set(nameOf(run), atMs);
    },
    async list(campaignId) {
      return (await connection.smembers(campaignKeys(prefix, campaignId).runs)).sort();
    },
  };
}

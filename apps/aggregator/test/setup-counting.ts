/** What counts and what reads, over one Redis, as main.ts puts them together. */
import { randomUUID } from 'node:crypto';
import {
  connectRedis,
  disconnectRedis,
  type OnUnreadable,
  openCampaignLogs,
  type RedisConnection,
} from '@hookfleet/queue';
import { type CampaignAudit, createCampaignAudit } from '../src/audit-campaign.ts';
import { createCampaignIndex } from '../src/campaign-index.ts';
import { createCampaignRuns } from '../src/campaign-runs.ts';
import { type CountEvents, createCountEvents } from '../src/count-events.ts';
import { type CountResults, createCountResults } from '../src/count-results.ts';
import type { CountingRetention } from '../src/plan-counting.ts';
import { type CampaignReader, createCampaignReader } from '../src/read-campaigns.ts';
import { createSeriesReader, type SeriesReader } from '../src/read-series.ts';

const DAY_MS = 86_400_000;

export const RETENTION: CountingRetention = {
  series: { minute: 2 * DAY_MS, halfHour: 60 * DAY_MS, day: 730 * DAY_MS },
  campaignMs: 730 * DAY_MS,
};

// Redis deletes by its own clock: with a test's date, what it counts must outlast more than the date.
const KEPT_FOR_A_CENTURY: CountingRetention = {
  series: { minute: 36_500 * DAY_MS, halfHour: 36_500 * DAY_MS, day: 36_500 * DAY_MS },
  campaignMs: 36_500 * DAY_MS,
};

export interface CountingSetup {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly countResults: CountResults;
  readonly countEvents: CountEvents;
  readonly reader: CampaignReader;
  readonly series: SeriesReader;
  readonly audit: CampaignAudit;
  readonly campaignId: string;
  close(): void;
}

export function setupCounting(
  url: string,
  {
    prefix = 'test',
    retention = RETENTION,
    eventIdsMs = 7 * DAY_MS,
    now = Date.now,
    temper = 'patient',
    onUnreadable,
  }: {
    prefix?: string;
    retention?: CountingRetention;
    eventIdsMs?: number;
    now?: () => number;
    temper?: 'patient' | 'failFast';
    onUnreadable?: OnUnreadable;
  } = {},
): CountingSetup {
  const connection = connectRedis({ url, name: 'test', temper, onError: () => undefined });
  const kept = now === Date.now ? retention : KEPT_FOR_A_CENTURY;
  const index = createCampaignIndex({ connection, prefix, retentionMs: kept.campaignMs, now });
  const reader = createCampaignReader(connection, prefix);
  return {
    connection,
    prefix,
    countResults: createCountResults({
      connection,
      prefix,
      retention: kept,
      index,
      onNonePending: () => undefined,
      onUnreadable,
      now,
    }),
    countEvents: createCountEvents({
      connection,
      prefix,
      retention: kept,
      eventIdsMs,
      index,
      onUnreadable,
      now,
    }),
    reader,
    series: createSeriesReader({ connection, prefix, retention: retention.series, now }),
    audit: createCampaignAudit({
      connection,
      prefix,
      runs: createCampaignRuns({ connection, prefix, retentionMs: kept.campaignMs, now }),
      logs: openCampaignLogs({ connection, prefix, shards: 1 }),
      totals: reader.totals,
    }),
    campaignId: `campaign-${randomUUID()}`,
    close: () => disconnectRedis(connection),
  };
}

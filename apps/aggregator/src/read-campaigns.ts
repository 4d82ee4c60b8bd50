/** Reads campaigns' totals as apply-results.lua and apply-events.lua have counted them. Counts over time: read-series.ts. */
import { readFileSync } from 'node:fs';
import type { CampaignTotals, FleetEvent } from '@hookfleet/contract';
import { FLEET_EVENTS_KEPT, fleetEventsKey, readCount, type RedisConnection } from '@hookfleet/queue';
import { campaignKeys, campaignsKey, openCampaignsKey } from './campaign-keys.ts';
import { percentile } from './latency-histogram.ts';
import { parseSummary } from './number-sums.ts';

/** What is stored of a campaign. */
export interface StoredCampaign {
  readonly totals: CampaignTotals;
  /** When the first of its webhooks is to be sent; undefined if an earlier version counted them. */
  readonly firstDueMs: number | undefined;
}

export interface CampaignReader {
  /** As `totals`. */
  stored(campaignId: string): Promise<StoredCampaign | undefined>;
  /** Undefined where nothing was ever counted for the campaign, or its counters have expired. */
  totals(campaignId: string): Promise<CampaignTotals | undefined>;
  exists(campaignId: string): Promise<boolean>;
  /** Most recently active first. */
  list(offset: number, limit: number): Promise<{ campaigns: StoredCampaign[]; total: number }>;
  /** Messages pending, summed over all campaigns that have any; those that have none any more are closed. */
  pendingMessages(): Promise<number>;
  /** Takes a campaign with nothing pending out of the open ones, and says that it is complete. Resolves to what pends. */
  closeUnlessPending(campaignId: string): Promise<number>;
}

// Campaigns that are read at once where many are to be read.
const READ_AT_ONCE = 100;

const CLOSE = { lua: readFileSync(new URL('close-campaign.lua', import.meta.url), 'utf8') };

export function createCampaignReader(
  connection: RedisConnection,
  prefix: string,
  now: () => number = Date.now,
): CampaignReader {
  connection.defineCommand('closeCampaign', CLOSE);
  const { closeCampaign } = connection as unknown as {
    closeCampaign(keysCount: number, ...keysAndArguments: (string | number)[]): Promise<number>;
  };

  async function stored(campaignId: string): Promise<StoredCampaign | undefined> {
    const keys = campaignKeys(prefix, campaignId);
    const [fields, latency] = await Promise.all([
      connection.hgetall(keys.totals),
      connection.hgetall(keys.latency),
    ]);
    if (Object.keys(fields).length === 0) return undefined;
    const firstDueMs = fields['due'] === undefined ? undefined : readCount(fields['due']);
    return { totals: toTotals(campaignId, fields, latency), firstDueMs };
  }

  async function recentlyActive(offset: number, limit: number): Promise<string[]> {
    return limit === 0 ? [] : connection.zrevrange(campaignsKey(prefix), offset, offset + limit - 1);
  }

  async function pendingOf(campaignId: string): Promise<number> {
    const fields = ['m:accepted', 'm:delivered', 'm:failed', 'm:cancelled'];
    const counts = await connection.hmget(campaignKeys(prefix, campaignId).totals, ...fields);
    const [accepted = 0, ...ended] = counts.map(readCount);
    return ended.reduce((pending, count) => pending - count, accepted);
  }

  async function closeUnlessPending(campaignId: string): Promise<number> {
    const pending = await pendingOf(campaignId);
    if (pending !== 0) return pending;
    const completed: FleetEvent = {
      event: 'campaign.completed',
      campaignId,
      occurredAt: new Date(now()).toISOString(),
    };
    await closeCampaign.call(
      connection,
      2,
      openCampaignsKey(prefix),
      fleetEventsKey(prefix),
      campaignId,
      JSON.stringify(completed),
      FLEET_EVENTS_KEPT,
    );
    // A message that was accepted between the reading and the removal found the campaign open.
    const meanwhile = await pendingOf(campaignId);
    if (meanwhile !== 0) await connection.sadd(openCampaignsKey(prefix), campaignId);
    return meanwhile;
  }

  return {
    stored,
    totals: async (campaignId) => (await stored(campaignId))?.totals,
    closeUnlessPending,
    async exists(campaignId) {
      return (await connection.exists(campaignKeys(prefix, campaignId).totals)) === 1;
    },
    async list(offset, limit) {
      const [ids, total] = await Promise.all([
        recentlyActive(offset, limit),
        connection.zcard(campaignsKey(prefix)),
      ]);
      const campaigns = await Promise.all(ids.map(stored));
      return { total, campaigns: campaigns.filter((campaign) => campaign !== undefined) };
    },
    async pendingMessages() {
      const open = await connection.smembers(openCampaignsKey(prefix));
      let sum = 0;
      for (let i = 0; i < open.length; i += READ_AT_ONCE) {
        const pending = await Promise.all(open.slice(i, i + READ_AT_ONCE).map(closeUnlessPending));
        sum += pending.reduce((total, count) => total + count, 0);
      }
      return sum;
    },
  };
}

type Fields = Readonly<Record<string, string>>;

function toTotals(campaignId: string, fields: Fields, latency: Fields): CampaignTotals {
  const { accepted = 0, delivered = 0, failed = 0, cancelled = 0 } = countsNamed('m:', fields);
  const attempts = new Map(
    Object.entries(latency).map(([bucket, count]) => [readCount(bucket), readCount(count)]),
  );
  const timeOf = (field: string) => {
    const ms = readCount(fields[field]);
    return ms > 0 ? new Date(ms).toISOString() : undefined;
  };
  const [firstEventAt, lastEventAt] = [timeOf('first'), timeOf('last')];
  return {
    campaignId,
    events: countsNamed('e:', fields),
    reasons: countsNamed('r:', fields),
    messages: { accepted, delivered, failed, cancelled, pending: accepted - delivered - failed - cancelled },
    latency: {
      p50: percentile(attempts, 0.5),
      p95: percentile(attempts, 0.95),
      p99: percentile(attempts, 0.99),
    },
    ...propertiesOf(fields),
    ...(firstEventAt !== undefined && { firstEventAt }),
    ...(lastEventAt !== undefined && { lastEventAt }),
  };
}

/** Of custom events' numbers, by event and property. */
function propertiesOf(fields: Fields): Pick<CampaignTotals, 'properties'> {
  const named = Object.entries(fields)
    .filter(([field]) => field.startsWith('p:'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([field, text]) => {
      const [, event = '', property = ''] = field.split(':');
      const summary = parseSummary(text);
      return summary === undefined ? [] : [{ event, property, summary }];
    });
  if (named.length === 0) return {};
  const byEvent = [...Map.groupBy(named, ({ event }) => event)].map(([event, ofEvent]) => [
    event,
    Object.fromEntries(ofEvent.map(({ property, summary }) => [property, summary])),
  ]);
  return { properties: Object.fromEntries(byEvent) };
}

/** The fields that begin with `start`, without it, in order. */
function countsNamed(start: string, fields: Fields): Record<string, number> {
  const named = Object.entries(fields)
    .filter(([field]) => field.startsWith(start))
    .map(([field, count]): [string, number] => [field.slice(start.length), readCount(count)]);
  return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
}

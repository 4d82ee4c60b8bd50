/** Reads what apply-results.lua has counted. */
import type { CampaignTotals } from '@hookfleet/contract';
import type { RedisConnection } from '@hookfleet/queue';
import { campaignKeys, campaignsKey, openCampaignsKey } from './campaign-keys.ts';
import { quantile } from './latency-histogram.ts';
import { hashIndexOf, type Step, STEP_MS } from './steps.ts';

export interface SeriesPoint {
  /** Start of the step, ISO 8601, UTC. */
  readonly at: string;
  readonly counts: Readonly<Record<string, number>>;
}

export interface CampaignReader {
  /** Undefined where nothing was ever counted for the campaign. */
  totals(campaignId: string): Promise<CampaignTotals | undefined>;
  /** Most recently active first. */
  list(offset: number, limit: number): Promise<{ campaigns: CampaignTotals[]; total: number }>;
  recentlyActive(limit: number): Promise<string[]>;
  /** From and to (exclusive) in milliseconds, at whole steps. Every step is there, also where nothing happened. */
  series(
    campaignId: string,
    step: Step,
    groupBy: 'event' | 'reason',
    fromMs: number,
    toMs: number,
  ): Promise<SeriesPoint[]>;
  /** Messages pending, summed over all campaigns that have any. */
  pendingMessages(): Promise<number>;
}

export function createCampaignReader(connection: RedisConnection, prefix: string): CampaignReader {
  async function totals(campaignId: string): Promise<CampaignTotals | undefined> {
    const fields = await connection.hgetall(campaignKeys(prefix, campaignId).totals);
    return Object.keys(fields).length === 0 ? undefined : toTotals(campaignId, fields);
  }

  async function recentlyActive(limit: number, offset = 0): Promise<string[]> {
    return limit === 0 ? [] : connection.zrevrange(campaignsKey(prefix), offset, offset + limit - 1);
  }

  return {
    totals,
    recentlyActive: (limit) => recentlyActive(limit),
    async list(offset, limit) {
      const [ids, total] = await Promise.all([
        recentlyActive(limit, offset),
        connection.zcard(campaignsKey(prefix)),
      ]);
      const campaigns = await Promise.all(ids.map(totals));
      return { total, campaigns: campaigns.filter((campaign) => campaign !== undefined) };
    },
    async series(campaignId, step, groupBy, fromMs, toMs) {
      const first = fromMs / STEP_MS[step];
      const last = toMs / STEP_MS[step] - 1;
      const hashes = Array.from(
        { length: hashIndexOf(step, last) - hashIndexOf(step, first) + 1 },
        (_, i) => hashIndexOf(step, first) + i,
      );
      const keys = campaignKeys(prefix, campaignId);
      const stored = await Promise.all(hashes.map((hash) => connection.hgetall(keys.buckets(step, hash))));
      const buckets = new Map<number, Record<string, number>>();
      for (const [field, count] of stored.flatMap((fields) => Object.entries(fields))) {
        const [, bucket, kind, name] = /^(\d+):([er]):(.+)$/.exec(field) ?? [];
        if (name === undefined || (kind === 'e') !== (groupBy === 'event')) continue;
        const counts = buckets.get(Number(bucket)) ?? {};
        counts[name] = Number(count);
        buckets.set(Number(bucket), counts);
      }
      return Array.from({ length: last - first + 1 }, (_, i) => ({
        at: new Date((first + i) * STEP_MS[step]).toISOString(),
        counts: buckets.get(first + i) ?? {},
      }));
    },
    async pendingMessages() {
      let sum = 0;
      for (const id of await connection.smembers(openCampaignsKey(prefix))) {
        const pending = (await totals(id))?.messages.pending ?? 0;
        if (pending === 0) await connection.srem(openCampaignsKey(prefix), id);
        sum += pending;
      }
      return sum;
    },
  };
}

function toTotals(campaignId: string, fields: Record<string, string>): CampaignTotals {
  const named = (prefix: string) =>
    Object.entries(fields)
      .filter(([field]) => field.startsWith(prefix))
      .map(([field, value]) => [field.slice(prefix.length), Number(value)] as const);
  const messages = new Map(named('m:'));
  const count = (state: string) => messages.get(state) ?? 0;
  const [accepted, delivered, failed, cancelled] = ['accepted', 'delivered', 'failed', 'cancelled'].map(
    count,
  ) as [number, number, number, number];
  const latencies = new Map(named('l:').map(([bucket, value]) => [Number(bucket), value]));
  const latency = (q: number) => Math.round(quantile(latencies, q));
  const at = (field: string) =>
    fields[field] === undefined ? undefined : new Date(Number(fields[field])).toISOString();
  const [firstEventAt, lastEventAt] = [at('first'), at('last')];
  return {
    campaignId,
    events: Object.fromEntries(named('e:').sort()),
    reasons: Object.fromEntries(named('r:').sort()),
    messages: { accepted, delivered, failed, cancelled, pending: accepted - delivered - failed - cancelled },
    latency: { p50: latency(0.5), p95: latency(0.95), p99: latency(0.99) },
    ...(firstEventAt !== undefined && { firstEventAt }),
    ...(lastEventAt !== undefined && { lastEventAt }),
  };
}

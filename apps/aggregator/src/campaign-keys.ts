/**
 * The names of the counters' keys. All keys of a campaign share one Redis Cluster slot, for one script writes them
 * together; different campaigns lie on different nodes.
 *
 *     {hookfleet:c:spring-sale}:totals               hash: e:<event>, r:<reason>, m:<messages>, first, last, due,
 *                                                    p:<event>:<property> (number-sums.ts)
 *     {hookfleet:c:spring-sale}:latency              hash: bucket of latency-histogram.ts → attempts
 *     {hookfleet:c:spring-sale}:minute:<chunk>       hash: <offset>:e:<event>, <offset>:r:<reason>; also halfHour, day
 *     {hookfleet:c:spring-sale}:halfHour:<chunk>:of  hash: <offset>:<group>:<event>, by message and channel; also day
 *     {hookfleet:c:spring-sale}:messages             hash: messageId → its group's number; also channels
 *     {hookfleet:c:spring-sale}:marks:<run>:<page>   string: what was counted of each webhook (plan-counting.ts)
 *     {hookfleet:c:spring-sale}:late                 set: attempts that the marks have no bit for
 *     {hookfleet:c:spring-sale}:runs                 set: the runs that its webhooks have (campaign-runs.ts)
 *     {hookfleet:c:spring-sale}:event-ids:<day>      set: digests of the ids of custom events counted on that day
 *     {hookfleet:c:spring-sale}:event-marks:<run>:<page>   string: bits of custom events without id (plan-events.ts)
 *     {hookfleet}:campaigns                          sorted set: campaigns by their latest activity
 *     {hookfleet}:open                               set: campaigns with messages pending, for hookfleet_unaccounted
 *     {hookfleet}:metrics:…                          what /metrics tells of campaigns (campaign-roll-up.ts)
 *
 * Bytes of Redis, measured: a campaign of 1,000 webhooks in ten minutes has 3.9 kB, 2.1 kB of them marks; one that
 * sends all day, 70 kB for the day, of which minutes are 45 kB (for two days) and marks 14 kB (for 4,320 webhooks).
 */
import type { Results } from '@hookfleet/contract';
import type { GroupKind } from './series-groups.ts';
import type { SeriesStep } from './series-steps.ts';

export interface CampaignKeys {
  readonly totals: string;
  readonly latency: string;
  readonly late: string;
  readonly runs: string;
  marks(run: string, page: number): string;
  chunk(step: SeriesStep, chunk: number): string;
  groupChunk(step: SeriesStep, chunk: number): string;
  groupNames(kind: GroupKind): string;
  /** `day`: days since 1970. */
  eventIds(day: number): string;
  eventMarks(run: string, page: number): string;
}

export function campaignKeys(prefix: string, campaignId: string): CampaignKeys {
  const tag = `{${prefix}:c:${campaignId}}`;
  return {
    totals: `${tag}:totals`,
    latency: `${tag}:latency`,
    late: `${tag}:late`,
    runs: `${tag}:runs`,
    marks: (run, page) => `${tag}:marks:${run}:${page}`,
    chunk: (step, chunk) => `${tag}:${step}:${chunk}`,
    groupChunk: (step, chunk) => `${tag}:${step}:${chunk}:of`,
    groupNames: (kind) => `${tag}:${kind}s`,
    eventIds: (day) => `${tag}:event-ids:${day}`,
    eventMarks: (run, page) => `${tag}:event-marks:${run}:${page}`,
  };
}

/** Keys on every master that counting the results writes to. */
export function keysCounted(prefix: string, results: Results): string[] {
  const { acceptances = [], cancellations = [], outcomes = [], events = [] } = results;
  const counted = [...acceptances, ...cancellations, ...outcomes, ...events];
  const campaignIds = new Set(counted.map(({ campaignId }) => campaignId));
  return [openCampaignsKey(prefix), ...[...campaignIds].map((id) => campaignKeys(prefix, id).totals)];
}

export function campaignsKey(prefix: string): string {
  return `{${prefix}}:campaigns`;
}

export function openCampaignsKey(prefix: string): string {
  return `{${prefix}}:open`;
}

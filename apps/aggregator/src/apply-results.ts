/**
 * Applies results to the campaigns' counters: one script call per campaign in the job. A call that is repeated
 * counts nothing twice, so a job may be run again at any point.
 *
 * Order of effects: the index of campaigns before the counters (a counted campaign is always listed), the counters,
 * then the set of campaigns that have messages pending.
 */
import { readFileSync } from 'node:fs';
import { type Acceptance, type Outcome, parseWebhookId, positionOf, type Results } from '@hookfleet/contract';
import type { RedisConnection } from '@hookfleet/queue';
import { campaignKeys, campaignsKey, openCampaignsKey } from './campaign-keys.ts';
import { latencyBucketOf } from './latency-histogram.ts';
import { bucketIndex, hashIndexOf, hashLifetimeMs, STEPS, type StepRetention } from './steps.ts';

export interface ApplyResultsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly retention: StepRetention & {
    /** Totals and marks live so long after a campaign's last event, in milliseconds. */
    readonly campaign: number;
  };
  readonly now: () => number;
}

export interface Applied {
  /** Outcomes that had not been counted before. */
  readonly outcomes: number;
  readonly accepted: number;
}

export type ApplyResults = (results: Results) => Promise<Applied>;

const SOURCE = readFileSync(new URL('apply-results.lua', import.meta.url), 'utf8');
// A campaign's place in the index is renewed this often at most.
const INDEX_FRESH_MS = 1_000;
const INDEXED_MAX = 50_000;

type Script = (
  keysCount: number,
  ...keysAndArguments: (string | number)[]
) => Promise<[number, number, number]>;

export function createApplyResults(options: ApplyResultsOptions): ApplyResults {
  const { connection, prefix, now } = options;
  connection.defineCommand('applyResults', { lua: SOURCE });
  const script = (connection as unknown as { applyResults: Script }).applyResults.bind(connection);
  const indexedAt = new Map<string, number>();

  async function index(campaignId: string): Promise<void> {
    const at = now();
    if (at - (indexedAt.get(campaignId) ?? 0) < INDEX_FRESH_MS) return;
    await connection.zadd(campaignsKey(prefix), 'GT', at, campaignId);
    // After the write: before it, a second job must not believe the campaign listed.
    indexedAt.delete(campaignId);
    indexedAt.set(campaignId, at);
    if (indexedAt.size > INDEXED_MAX) indexedAt.delete(indexedAt.keys().next().value as string);
  }

  async function applyTo(
    campaignId: string,
    acceptances: readonly Acceptance[],
    outcomes: readonly Outcome[],
  ): Promise<Applied> {
    await index(campaignId);
    const { keys, args } = scriptInput(campaignId, acceptances, outcomes, options);
    const [counted, accepted, pending] = await script(keys.length, ...keys, ...args);
    // Left to the metric's reader to take out again: here it would cost a command a call.
    if (pending !== 0 && accepted > 0) await connection.sadd(openCampaignsKey(prefix), campaignId);
    return { outcomes: counted, accepted };
  }

  return async ({ acceptances = [], outcomes = [] }) => {
    const accepted = Map.groupBy(acceptances, ({ campaignId }) => campaignId);
    const happened = Map.groupBy(outcomes, ({ campaignId }) => campaignId);
    const campaigns = new Set([...accepted.keys(), ...happened.keys()]);
    const applied = await Promise.all(
      [...campaigns].map((id) => applyTo(id, accepted.get(id) ?? [], happened.get(id) ?? [])),
    );
    return {
      outcomes: applied.reduce((sum, one) => sum + one.outcomes, 0),
      accepted: applied.reduce((sum, one) => sum + one.accepted, 0),
    };
  };
}

/** The script's KEYS and ARGV, as its header describes them. */
function scriptInput(
  campaignId: string,
  acceptances: readonly Acceptance[],
  outcomes: readonly Outcome[],
  options: ApplyResultsOptions,
) {
  const { prefix, retention, now } = options;
  const names = campaignKeys(prefix, campaignId);
  const nowMs = now();
  const keys = [names.totals];
  const places = new Map<string, number>();
  const placeOf = (key: string) => {
    let place = places.get(key);
    if (place === undefined) {
      place = keys.push(key);
      places.set(key, place);
    }
    return place;
  };
  const bucketLifetimes = new Map<number, number>();
  const ranges = mergeRanges(acceptances);
  const args: (string | number)[] = [retention.campaign, ranges.length];
  for (const { run, from, count } of ranges) args.push(placeOf(names.marks(run)), from, count);
  args.push(outcomes.length);
  for (const outcome of outcomes) {
    const location = parseWebhookId(outcome.webhookId);
    if (location === undefined) throw new TypeError(`${outcome.webhookId} is no webhook id`);
    const occurredAtMs = Date.parse(outcome.occurredAt);
    args.push(
      placeOf(names.marks(location.run)),
      placeOf(names.late(location.run)),
      positionOf(location),
      outcome.attempt,
      outcome.event,
      outcome.reason ?? '',
      outcome.final ? '1' : '0',
      outcome.recipients,
      latencyBucketOf(outcome.durationMs),
      occurredAtMs,
    );
    for (const step of STEPS) {
      const bucket = bucketIndex(step, occurredAtMs, nowMs, retention);
      if (bucket === undefined) args.push(0, '');
      else {
        const place = placeOf(names.buckets(step, hashIndexOf(step, bucket)));
        bucketLifetimes.set(place, hashLifetimeMs(step, retention));
        args.push(place, bucket);
      }
    }
  }
  args.push(bucketLifetimes.size);
  for (const [place, lifetimeMs] of bucketLifetimes) args.push(place, lifetimeMs);
  return { keys, args };
}

/** A bulk call's bundles are neighbours: their ranges become one. */
function mergeRanges(acceptances: readonly Acceptance[]): Pick<Acceptance, 'run' | 'from' | 'count'>[] {
  const merged: { run: string; from: number; count: number }[] = [];
  for (const { run, from, count } of [...acceptances].sort(
    (a, b) => a.run.localeCompare(b.run) || a.from - b.from,
  )) {
    const last = merged.at(-1);
    if (last !== undefined && last.run === run && last.from + last.count === from) last.count += count;
    else merged.push({ run, from, count });
  }
  return merged;
}

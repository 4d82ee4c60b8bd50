/**
 * Counts results jobs. May be called with the same job again and again: apply-results.lua counts each entry once.
 *
 *   0. its messages and channels have names  the first fifty of each; all others share one (group-names.ts)
 *   1. the campaign is in the index          or its counters would be there and nobody would find them;
 *      its runs are noted                    the same of its marks, for an audit
 *   2. its part is counted                   one script call; campaigns lie on different nodes
 *   3. it is in the set of open campaigns    where messages became pending
 *   then the job is finished
 *
 * If we die anywhere in it, the job comes back, here or to another aggregator, and what was done is done.
 */
import { readFileSync } from 'node:fs';
import type { Acceptance, Cancellation, Outcome, Results } from '@hookfleet/contract';
import type { OnUnreadable, RedisConnection } from '@hookfleet/queue';
import type { CampaignIndex } from './campaign-index.ts';
import { openCampaignsKey } from './campaign-keys.ts';
import { createCampaignRuns } from './campaign-runs.ts';
import { createGroupNames } from './group-names.ts';
import { createTellOfCounters } from './tell-of-counters.ts';
import { type CountingCall, type CountingRetention, planCounting } from './plan-counting.ts';

export interface Counted {
  /** Outcomes that were counted now. */
  readonly outcomes: number;
  /** Outcomes that had been counted before. */
  readonly repeats: number;
  /** Messages that became accepted. */
  readonly accepted: number;
}

/**
 * Entries of a results job name no webhook: a bug of whoever wrote it. All others of the job are counted. The queue
 * sets a job aside as failed, instead of trying it for ever, when the error's name is this one.
 */
export class UncountableResultsError extends Error {
  override readonly name = 'UnrecoverableError';
  readonly entries: readonly (Outcome | Acceptance | Cancellation)[];

  constructor(entries: readonly (Outcome | Acceptance | Cancellation)[]) {
    super(`${entries.length} entries name no webhook, the first: ${JSON.stringify(describe(entries[0]))}`);
    this.entries = entries;
  }
}

export interface CountResultsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly retention: CountingRetention;
  readonly index: Pick<CampaignIndex, 'touch'>;
  /** No message of the campaign is pending now. */
  readonly onNonePending: (campaignId: string) => void;
  readonly onUnreadable?: OnUnreadable | undefined;
  readonly now: () => number;
}

export type CountResults = (results: Results) => Promise<Counted>;

const SCRIPT = { lua: readFileSync(new URL('apply-results.lua', import.meta.url), 'utf8') };

export function createCountResults({
  connection,
  prefix,
  retention,
  index,
  onNonePending,
  onUnreadable,
  now,
}: CountResultsOptions): CountResults {
  connection.defineCommand('applyResults', SCRIPT);
  const { applyResults } = connection as unknown as {
    applyResults(
      keysCount: number,
      ...keysAndPlan: string[]
    ): Promise<[number, number, number, number, string[]]>;
  };

  const tellOfCounters = createTellOfCounters(onUnreadable);
  const runs = createCampaignRuns({ connection, prefix, retentionMs: retention.campaignMs, now });

  async function count({ campaignId, keys, plan }: CountingCall): Promise<Counted> {
    await Promise.all([
      index.touch(campaignId),
      runs.note(
        campaignId,
        plan.pages.map(({ run }) => run),
      ),
    ]);
    const reply = await applyResults.call(connection, keys.length, ...keys, JSON.stringify(plan));
    const [outcomes, repeats, accepted, pending, replaced] = reply;
    tellOfCounters(replaced, { campaignId });
    // A call that found everything counted repeats one that may have died before this.
    const mayHaveOpened = accepted > 0 || outcomes === 0;
    // The reader takes campaigns out again: here it would cost a command with each call. One that was accepted and
    // ended in the same call goes in too, so that it is said to be complete.
    if (mayHaveOpened && (pending !== 0 || accepted > 0))
      await connection.sadd(openCampaignsKey(prefix), campaignId);
    if (pending === 0) onNonePending(campaignId);
    return { outcomes, repeats, accepted };
  }

  const groupNames = createGroupNames({ connection, prefix, keepMs: retention.campaignMs, now });

  return async (results) => {
    const groupOf = await groupNames.resolve(results.outcomes ?? []);
    const { calls, uncountable } = planCounting(results, { prefix, retention, nowMs: now(), groupOf });
    const counted = await Promise.all(calls.map(count));
    if (uncountable.length > 0) throw new UncountableResultsError(uncountable);
    return {
      outcomes: counted.reduce((sum, { outcomes }) => sum + outcomes, 0),
      repeats: counted.reduce((sum, { repeats }) => sum + repeats, 0),
      accepted: counted.reduce((sum, { accepted }) => sum + accepted, 0),
    };
  };
}

/** Without the response's body. */
function describe(entry: Outcome | Acceptance | Cancellation | undefined): object | undefined {
  if (entry === undefined || !('webhookId' in entry)) return entry;
  const { webhookId, campaignId, attempt } = entry;
  return { webhookId, campaignId, attempt };
}

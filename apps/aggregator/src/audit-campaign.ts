/**
 * Recomputes a campaign's totals from its attempt logs, page by page of its marks:
 *
 *     runs of the campaign ─▶ pages of marks ─▶ positions with counted attempts ─┐
 *                                          └─▶ logs at these positions ─────────┴─▶ recount ─▶ differences
 *
 * An audit takes a moment for each thousand webhooks, so it goes on for a few seconds and then answers with a cursor,
 * which holds all that it knows so far: no aggregator has to remember it, and a caller who stops asking has ended it.
 * It reads alone, and one thing after the other. What it can't see: webhooks whose run has no mark within four
 * thousand positions of theirs.
 */
import type { CampaignTotals } from '@hookfleet/contract';
import type { CampaignLogs, RedisConnection } from '@hookfleet/queue';
import { campaignKeys } from './campaign-keys.ts';
import type { CampaignRuns } from './campaign-runs.ts';
import { CELLS_PER_PAGE } from './plan-counting.ts';
import {
  type AuditedCounts,
  addLogged,
  auditedOf,
  type Difference,
  differencesOf,
  NOTHING,
  type Recount,
} from './recount.ts';

// Positions of a run are below four million (queue/positions.ts).
const PAGES_MAX = 1_000;
const PAGES_PER_LOOK = 100;
// Of a cell: attempts 1 to 12 (plan-counting.ts).
const ATTEMPTS_MASK = 0xfff0;
const CELL_BYTES = 2;

/** Where an audit goes on. */
export interface AuditProgress {
  readonly run: string;
  readonly page: number;
  readonly recount: Recount;
  /** The totals as the audit found them at its start, to tell whether they have moved. */
  readonly startedWith: string;
}

export interface AuditPart {
  readonly counted: AuditedCounts;
  readonly recomputed: Recount;
  readonly accepted: number;
  /** Undefined where the audit goes on. */
  readonly verdict: { readonly differences: readonly Difference[]; readonly settled: boolean } | undefined;
  readonly progress: AuditProgress | undefined;
}

export interface CampaignAudit {
  /** Undefined where nothing was ever counted for the campaign. With progress once the signal is aborted, after a page. */
  audit(
    campaignId: string,
    progress: AuditProgress | undefined,
    signal: AbortSignal,
  ): Promise<AuditPart | undefined>;
}

export interface CampaignAuditOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly runs: Pick<CampaignRuns, 'list'>;
  readonly logs: CampaignLogs;
  readonly totals: (campaignId: string) => Promise<CampaignTotals | undefined>;
}

export function createCampaignAudit(options: CampaignAuditOptions): CampaignAudit {
  const { connection, prefix, runs, logs, totals } = options;

  async function pagesOf(campaignId: string, run: string): Promise<number[]> {
    const { marks } = campaignKeys(prefix, campaignId);
    const pages: number[] = [];
    for (let from = 0; from < PAGES_MAX; from += PAGES_PER_LOOK) {
      const some = Array.from({ length: PAGES_PER_LOOK }, (_, i) => from + i);
      const are = await Promise.all(some.map((page) => connection.exists(marks(run, page))));
      pages.push(...some.filter((_, i) => are[i] === 1));
    }
    return pages;
  }

  async function recountPage(
    campaignId: string,
    run: string,
    page: number,
    before: Recount,
  ): Promise<Recount> {
    const marks = await connection.getBuffer(campaignKeys(prefix, campaignId).marks(run, page));
    const cells = Math.floor((marks?.length ?? 0) / CELL_BYTES);
    const base = page * CELLS_PER_PAGE;
    const attempted = new Set<number>();
    for (let cell = 0; cell < cells; cell += 1)
      if (((marks?.readUInt16BE(cell * CELL_BYTES) ?? 0) & ATTEMPTS_MASK) !== 0) attempted.add(base + cell);
    // The whole page, and not as far as its marks go: what was never counted has none.
    return addLogged(before, await logs.read(run, base, CELLS_PER_PAGE), attempted);
  }

  return {
    async audit(campaignId, progress, signal) {
      const now = await totals(campaignId);
      if (now === undefined) return undefined;
      const startedWith = progress?.startedWith ?? fingerprint(now);
      let recount = progress?.recount ?? NOTHING;
      let isFirst = true;
      const left = (await runs.list(campaignId)).filter((run) => run >= (progress?.run ?? ''));
      for (const run of left) {
        const from = run === progress?.run ? progress.page : 0;
        for (const page of (await pagesOf(campaignId, run)).filter((one) => one >= from)) {
          // A page at least: whoever asks again and again comes to the end.
          if (signal.aborted && !isFirst) {
            return {
              counted: auditedOf(now),
              recomputed: recount,
              accepted: now.messages.accepted,
              verdict: undefined,
              progress: { run, page, recount, startedWith },
            };
          }
          isFirst = false;
          recount = await recountPage(campaignId, run, page, recount);
        }
      }
      const after = (await totals(campaignId)) ?? now;
      const counted = auditedOf(after);
      return {
        counted,
        recomputed: recount,
        accepted: after.messages.accepted,
        verdict: {
          differences: differencesOf(counted, recount),
          settled: after.messages.pending === 0 && fingerprint(after) === startedWith,
        },
        progress: undefined,
      };
    },
  };
}

function fingerprint(totals: CampaignTotals): string {
  const { events, messages } = auditedOf(totals);
  return JSON.stringify([Object.entries(events), totals.messages.accepted, Object.values(messages)]);
}

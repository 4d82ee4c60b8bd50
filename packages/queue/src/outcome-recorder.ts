/**
 * Records attempts, by group commit: one write for all that ended within a while. What is written, in order:
 *
 *   1. logged     the attempt log: from here on a repeated run of the bundle leaves the attempt alone. Soon, for the
 *                 attempt holds its slot until then.
 *   2. reported   the jobs of later attempts, and the outcomes in the results queue. Not as soon: a results job costs
 *                 Redis, the aggregator and us about the same whether it holds ten outcomes or two hundred.
 *
 * The bundle's job must not be finished before 2. If we die between 1 and 2, it runs again, finds the attempt in the
 * log, and does 2 (`resume`): a later attempt's job has an id of its own and the aggregator counts an outcome once, so
 * a repeat changes nothing. Where another worker has recorded the attempt, for a while two had the bundle, and both
 * report what is in the log: the counters can't differ from it. Redis' failures are waited out: what happened must be written. Our memory is bounded by
 * the slots of what is not logged, and by UNREPORTED_MAX.
 */
import type {
  AttemptCause,
  Bundle,
  BundledWebhook,
  Cancellation,
  Outcome,
  PhasesMs,
  TraceContext,
} from '@hookfleet/contract';
import { distinctTraces, toPositionRanges, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import {
  type AttemptRecord,
  type AttemptRetention,
  type LoggedAttempt,
  noteCancelled,
  noteReplayStopped,
  recordAttempts,
} from './attempt-log.ts';
import type { CampaignBacklog } from './campaign-backlog.ts';
import { lossesOf } from './count-losses.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import type { KnownControls } from './known-controls.ts';
import { retryJobId, shardPrefix } from './keys.ts';
import { outcomeFromLog } from './outcome-from-log.ts';
import { openResultsOut } from './results-out.ts';
import { defineScripts } from './scripts.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

// A script call costs Redis as much as three or four attempts in it. So much longer is a slot held.
const LOG_GROUP = { itemsMax: 200, lingerMs: 6, writesMax: 2 } as const;
// What the aggregator counts in one script call. Up to so long after an attempt its campaign's counters may not show it.
// With 100 ms bulk takes another twentieth less of Redis, but the bundles that end together hold up who comes then.
const REPORT_GROUP = { itemsMax: 250, lingerMs: 50, writesMax: 4 } as const;
// Attempts that are logged and not reported, in a shard: with more, slots wait until these are reported.
const UNREPORTED_MAX = 5_000;
const PAUSE_AFTER_ERROR_MS = 500;

export interface OutcomeRecorderOptions extends ShardOptions {
  readonly backlog: Pick<CampaignBacklog, 'join'>;
  readonly controls: Pick<KnownControls, 'isCancelled' | 'now'>;
  readonly retention: AttemptRetention;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

export interface RecordedAttempt {
  readonly outcome: Outcome;
  /** When the webhook is to be attempted again; undefined where the outcome is final. */
  readonly nextAttemptAtMs: number | undefined;
  /** Absent for what is in the log already. */
  readonly phases?: PhasesMs;
  /** Absent for what is in the log already, too. */
  readonly cause?: AttemptCause;
  /** The attempt's span, where it is traced. */
  readonly trace?: TraceContext | undefined;
}

export interface LoggedRecord {
  /** Resolves when the later attempt's job and the outcome are in Redis, however long that takes. Never rejects. */
  readonly reported: Promise<void>;
}

export interface OutcomeRecorder {
  /** Resolves when the attempt is in the log, however long that takes: it won't be repeated. */
  record(
    shard: number,
    bundle: Bundle,
    webhook: BundledWebhook,
    recorded: RecordedAttempt,
  ): Promise<LoggedRecord>;
  /** For attempts that are in the log: resolves when they are reported. */
  resume(shard: number, bundle: Bundle, webhook: BundledWebhook, recorded: RecordedAttempt): Promise<void>;
  /**
   * For webhooks that are cancelled: resolves when that is in their log and in the results queue. May be repeated.
   * A replay that is cancelled changes no counter: its webhook is a dead letter, as before, and can be replayed again.
   */
  cancel(shard: number, bundle: Bundle, webhooks: readonly BundledWebhook[]): Promise<void>;
  close(): Promise<void>;
}

interface Item extends AttemptRecord {
  readonly trace?: TraceContext | undefined;
  /** How often the connection had been lost before it was logged. Absent for what was read from the log. */
  readonly lossesBefore?: number;
}

interface ShardGroups {
  /** With the records that stood already. */
  readonly log: GroupCommit<Item, ReadonlyMap<AttemptRecord, LoggedAttempt>>;
  readonly report: GroupCommit<Item>;
  unreported: number;
}

export function createOutcomeRecorder(options: OutcomeRecorderOptions): OutcomeRecorder {
  const { connection, prefix, shards, backlog, controls, retention, onError } = options;
  defineScripts(connection);
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);
  const results = openResultsOut(options);
  const losses = lossesOf(connection);

  async function reportAll(shard: number, reported: readonly Item[]): Promise<void> {
    const items = await logAgain(shard, reported);
    const traces = distinctTraces(items.map(({ trace }) => trace));
    const later = items.filter(({ nextAttemptAtMs }) => nextAttemptAtMs !== undefined);
    await Promise.all([
      later.length > 0 &&
        queues
          .of(shard)
          .addBulk(
            later.map((item) =>
              toRetryJob(item, delayOf(item), backlog.join(shard, item.bundle.campaignId, 1, true)),
            ),
          ),
      results.add(shard, {
        outcomes: items.map(({ outcome }) => outcome),
        ...(traces.length > 0 && { traces }),
      }),
    ]);
  }

  /** Nothing waits for its time in a campaign that is cancelled: it is to be counted as such. */
  function delayOf({ bundle: { campaignId, generation }, nextAttemptAtMs = 0 }: Item): number {
    if (controls.isCancelled(campaignId, generation)) return 0;
    return Math.max(0, Math.round(nextAttemptAtMs - controls.now()));
  }

  /** What was logged before the connection was lost may not be in the log of the master that there is now. */
  async function logAgain(shard: number, items: readonly Item[]): Promise<readonly Item[]> {
    const unsure = items.filter(({ lossesBefore = losses() }) => lossesBefore !== losses());
    if (unsure.length === 0) return items;
    const standing = await recordAttempts(connection, shardPrefix(prefix, shard), unsure, retention);
    return items.map((item) => {
      const logged = standing.get(item);
      return logged === undefined ? item : asLogged(shard, item, logged);
    });
  }

  async function untilDone<R>(context: Record<string, unknown>, work: () => Promise<R>): Promise<R> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        onError(error as Error, context);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_ERROR_MS));
      }
    }
  }

  const groups = Array.from(
    { length: shards },
    (_, shard): ShardGroups => ({
      log: createGroupCommit({
        write: (items) =>
          untilDone({ shard, attempts: items.length, doing: 'log attempts' }, () =>
            recordAttempts(connection, shardPrefix(prefix, shard), items, retention),
          ),
        ...LOG_GROUP,
      }),
      report: createGroupCommit({
        write: (items) =>
          untilDone({ shard, outcomes: items.length, doing: 'report outcomes' }, () =>
            reportAll(shard, items),
          ),
        ...REPORT_GROUP,
      }),
      unreported: 0,
    }),
  );

  function groupsOf(shard: number): ShardGroups {
    const own = groups[shard];
    if (own === undefined) throw new RangeError(`shard ${shard} of ${shards}`);
    return own;
  }

  async function report(own: ShardGroups, item: Item): Promise<void> {
    own.unreported += 1;
    await own.report.add(item);
    own.unreported -= 1;
  }

  return {
    async record(shard, bundle, webhook, recorded) {
      const own = groupsOf(shard);
      const item = { bundle, webhook, ...recorded, lossesBefore: losses() };
      const standing = (await own.log.add(item)).get(item);
      const reported = report(own, standing === undefined ? item : asLogged(shard, item, standing));
      if (own.unreported > UNREPORTED_MAX) await reported;
      return { reported };
    },
    resume: (shard, bundle, webhook, recorded) => report(groupsOf(shard), { bundle, webhook, ...recorded }),
    async cancel(shard, bundle, webhooks) {
      if (bundle.attemptsBefore !== undefined) {
        await untilDone({ shard, doing: 'stop replays' }, () =>
          noteReplayStopped(
            connection,
            shardPrefix(prefix, shard),
            bundle,
            webhooks,
            retention.deadLettersMs,
          ),
        );
        return;
      }
      const cancellations = toCancellations(bundle, webhooks);
      await untilDone({ shard, doing: 'record cancellations' }, async () => {
        await noteCancelled(
          connection,
          shardPrefix(prefix, shard),
          bundle,
          webhooks,
          retention.deadLettersMs,
        );
        await results.add(shard, { cancellations });
      });
    },
    async close() {
      await Promise.all(groups.map(({ log }) => log.drain()));
      await Promise.all(groups.map(({ report }) => report.drain()));
      await Promise.all([queues.close(), results.close()]);
    },
  };
}

/** The attempt as the log tells of it. */
function asLogged(shard: number, { bundle, webhook, outcome, trace }: Item, logged: LoggedAttempt): Item {
  return {
    bundle,
    webhook,
    trace,
    outcome: outcomeFromLog(shard, bundle, webhook, logged, outcome.properties),
    nextAttemptAtMs: logged.nextAttemptAtMs,
  };
}

/** A batch is cancelled with each of its webhooks. */
function toCancellations(
  { campaignId, run, first }: Bundle,
  webhooks: readonly BundledWebhook[],
): Cancellation[] {
  const own = webhooks.filter(({ members }) => members === undefined);
  const ranges = [
    ...toPositionRanges(own.map(({ index }) => ({ run, position: first + index }))),
    ...webhooks.flatMap(({ members = [] }) => members),
  ];
  return ranges.map((range) => ({ campaignId, ...range }));
}

/**
 * The webhook leaves its bundle: a bundle of one, under an id made of the webhook's and the attempt's. Whoever runs it
 * looks into the log first: a write whose reply was lost is made again, maybe when the job it had added is done and gone.
 */
function toRetryJob({ bundle, webhook, outcome, nextAttemptAtMs }: Item, delayMs: number, priority: number) {
  const { claim: _claim, claimedBy: _by, ...rest } = bundle;
  const attempt = outcome.attempt + 1;
  const dueAt = Math.round(nextAttemptAtMs ?? 0);
  const data: Bundle = { ...rest, attempt, dueAt, recheck: true, webhooks: [webhook] };
  return {
    name: bundle.campaignId,
    data,
    opts: {
      jobId: retryJobId(bundle.run, bundle.first, webhook.index, attempt),
      delay: delayMs,
      priority,
      removeOnComplete: true,
      attempts: 1,
    },
  };
}

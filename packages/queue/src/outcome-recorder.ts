/**
 * Records attempts, by group commit: one write for all that ended within two milliseconds. What is written, in order:
 *
 *   1. the attempt log           from here on a repeated run of the bundle leaves the attempt alone
 *   2. the jobs of later attempts, and the outcomes in the results queue
 *
 * If we die between 1 and 2, the bundle runs again, finds the attempt in the log, and does 2 (`resume`): a later
 * attempt's job has an id of its own and the aggregator counts an outcome once, so a repeat changes nothing.
 * Redis' failures are waited out: what happened must be written, and the slots that it holds bound our memory.
 */
import type { Bundle, BundledWebhook, Cancellation, Outcome, PhasesMs } from '@hookfleet/contract';
import { toPositionRanges, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { type AttemptRecord, type AttemptRetention, noteCancelled, recordAttempts } from './attempt-log.ts';
import type { CampaignBacklog } from './campaign-backlog.ts';
import { createGroupCommit } from './group-commit.ts';
import { retryJobId, shardPrefix } from './keys.ts';
import { openResultsOut } from './results-out.ts';
import { defineScripts } from './scripts.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

// One results job holds up to so many outcomes. 50 did well here; with larger ones a repeated job repeats more.
const OUTCOMES_PER_JOB_MAX = 50;
const LINGER_MS = 2;
const WRITES_MAX = 4;
const PAUSE_AFTER_ERROR_MS = 500;

export interface OutcomeRecorderOptions extends ShardOptions {
  readonly backlog: Pick<CampaignBacklog, 'join'>;
  readonly retention: AttemptRetention;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

export interface RecordedAttempt {
  readonly outcome: Outcome;
  /** When the webhook is to be attempted again; undefined where the outcome is final. */
  readonly nextAttemptAtMs: number | undefined;
  /** Absent for what is in the log already. */
  readonly phases?: PhasesMs;
}

export interface OutcomeRecorder {
  /** Resolves when the attempt, its later attempt's job and its outcome are in Redis, however long that takes. */
  record(shard: number, bundle: Bundle, webhook: BundledWebhook, recorded: RecordedAttempt): Promise<void>;
  /** For attempts that are in the log: makes sure of what follows a record. */
  resume(shard: number, bundle: Bundle, webhook: BundledWebhook, recorded: RecordedAttempt): Promise<void>;
  /** For webhooks that are called off: resolves when that is in their log and in the results queue. May be repeated. */
  cancel(shard: number, bundle: Bundle, webhooks: readonly BundledWebhook[]): Promise<void>;
  close(): Promise<void>;
}

interface Item extends AttemptRecord {
  readonly logged: boolean;
}

export function createOutcomeRecorder(options: OutcomeRecorderOptions): OutcomeRecorder {
  const { connection, prefix, shards, backlog, retention, onError } = options;
  defineScripts(connection);
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);
  const results = openResultsOut(options);

  async function write(shard: number, items: readonly Item[]): Promise<void> {
    const unlogged = items.filter(({ logged }) => !logged);
    if (unlogged.length > 0)
      await recordAttempts(connection, shardPrefix(prefix, shard), unlogged, retention);
    const later = items.filter(({ nextAttemptAtMs }) => nextAttemptAtMs !== undefined);
    await Promise.all([
      later.length > 0 &&
        queues
          .of(shard)
          .addBulk(
            later.map((item) => toRetryJob(item, backlog.join(shard, item.bundle.campaignId, 1, true))),
          ),
      results.add(shard, { outcomes: items.map(({ outcome }) => outcome) }),
    ]);
  }

  async function untilDone(context: Record<string, unknown>, work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        onError(error as Error, context);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_ERROR_MS));
      }
    }
  }

  const groups = Array.from({ length: shards }, (_, shard) =>
    createGroupCommit<Item>({
      write: (items) =>
        untilDone({ shard, outcomes: items.length, doing: 'record outcomes' }, () => write(shard, items)),
      itemsMax: OUTCOMES_PER_JOB_MAX,
      lingerMs: LINGER_MS,
      writesMax: WRITES_MAX,
    }),
  );

  function add(shard: number, item: Item): Promise<void> {
    const group = groups[shard];
    if (group === undefined) throw new RangeError(`shard ${shard} of ${shards}`);
    return group.add(item);
  }

  return {
    record: (shard, bundle, webhook, recorded) => add(shard, { bundle, webhook, ...recorded, logged: false }),
    resume: (shard, bundle, webhook, recorded) => add(shard, { bundle, webhook, ...recorded, logged: true }),
    async cancel(shard, bundle, webhooks) {
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
      await Promise.all(groups.map((group) => group.drain()));
      await Promise.all([queues.close(), results.close()]);
    },
  };
}

/** A batch is called off with each of its webhooks. */
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

/** The webhook leaves its bundle: a bundle of one, under an id made of the webhook's and the attempt's. */
function toRetryJob({ bundle, webhook, outcome, nextAttemptAtMs, logged }: Item, priority: number) {
  const {
    claim: _claim,
    claimedBy: _by,
    recheck: _recheck,
    lane: _lane,
    probe: _probe,
    parked: _parked,
    passedCampaign: _passed,
    ...rest
  } = bundle;
  const attempt = outcome.attempt + 1;
  const data: Bundle = { ...rest, attempt, ...(logged && { recheck: true as const }), webhooks: [webhook] };
  return {
    name: bundle.campaignId,
    data,
    opts: {
      jobId: retryJobId(bundle.run, bundle.first, webhook.index, attempt),
      delay: Math.max(0, Math.round((nextAttemptAtMs ?? 0) - Date.now())),
      priority,
      removeOnComplete: true,
      attempts: 1,
    },
  };
}

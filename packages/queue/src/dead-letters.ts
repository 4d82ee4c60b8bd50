/**
 * Dead letters: webhooks that ended undelivered, with their attempts, until they are delivered after all or forgotten.
 *
 * A replay is one more attempt, with a retry schedule of its own: a job whose id is made of the webhook's, the attempt's and
 * the campaign's generation, so that two clicks make one replay, and a replay after a cancel and a resume is not taken
 * for the one that was cancelled. The letter stays where it is until an attempt delivers; the
 * campaign's marks see to it that its message, which was counted as failed, is then counted as delivered instead.
 */
import {
  type Bundle,
  type BundledWebhook,
  type CauseView,
  causeView,
  type OutcomeEvent,
  type OutcomeReason,
  parseWebhookId,
  type WebhookLocation,
  WEBHOOKS_QUEUE,
} from '@hookfleet/contract';
import {
  type BundleHead,
  isDeadLetter,
  type LoggedAttempt,
  noteReplay,
  readWebhookLog,
  type WebhookLog,
} from './attempt-log.ts';
import { lossesOf } from './count-losses.ts';
import type { KnownControls } from './known-controls.ts';
import { attemptLogKey, deadLettersKey, replayJobId, shardPrefix } from './keys.ts';
import { queuePriority } from './queue-priority.ts';
import { isTime, readObject } from './read-stored.ts';
import { readSortedSet, type SortedMember } from './read-sorted-set.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

export interface DeadLetterFilter {
  readonly event?: OutcomeEvent | undefined;
  readonly reason?: OutcomeReason | undefined;
  readonly channelConfigId?: string | undefined;
  /** When the last attempt ended, in milliseconds since 1970; `toMs` exclusive. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

export interface DeadLetter {
  readonly webhookId: string;
  readonly messageId: string;
  readonly channelConfigId?: string;
  readonly event: OutcomeEvent;
  readonly reason?: OutcomeReason;
  readonly cause?: CauseView['cause'];
  /** The cause in words. */
  readonly detail?: string;
  readonly statusCode?: number;
  readonly attempts: number;
  /** Of a batch. */
  readonly recipients?: number;
  readonly endedAt: string;
  readonly responseBody?: string;
}

export interface DeadLetterPage {
  readonly failures: readonly DeadLetter[];
  /** Where the next page begins; undefined after the last. */
  readonly cursor: string | undefined;
}

export interface ReplayOptions {
  readonly webhooksMax: number;
  /** They are spread over time, so that a destination that has just recovered is not swamped. */
  readonly perSecond: number;
  /** Where an earlier call with the same filter ended. */
  readonly cursor?: string | undefined;
}

export interface Replayed {
  readonly replayed: number;
  /** Not all were looked at: a call with the cursor goes on. */
  readonly more: boolean;
  readonly cursor?: string;
}

export interface DeadLetters {
  /** The latest first. A page may be short of the limit where a filter passes few. */
  list(campaignId: string, filter: DeadLetterFilter, limit: number, cursor?: string): Promise<DeadLetterPage>;
  /**
   * `notFailed`: it is delivered, or will be attempted anyway. `cancelled`: its campaign is, or the deadline is past. A batch
   * is replayed whole: its id is given then.
   */
  replay(
    webhookId: string,
  ): Promise<'replayed' | 'notFailed' | 'unknown' | 'cancelled' | { readonly batchId: string }>;
  /** The latest first. `cancelled` as for one webhook. */
  replayCampaign(
    campaignId: string,
    filter: DeadLetterFilter,
    options: ReplayOptions,
  ): Promise<Replayed | 'cancelled'>;
  /** What such a replay would do, and does not yet. */
  previewReplay(campaignId: string, filter: DeadLetterFilter, webhooksMax: number): Promise<ReplayPreview>;
  close(): Promise<void>;
}

// They are paced, and first attempts go before them.
const REPLAY_PRIORITY = queuePriority({ waiting: 0, priority: 'normal', isRetry: true });

export interface ReplayPreview {
  readonly webhooks: number;
  readonly more: boolean;
  /** Of the filter's time, whatever else it passes; those that are attempted again are among them. */
  readonly deadLetters: number;
  /** By channel; those of inline destinations have none. */
  readonly channels: readonly { readonly channelConfigId?: string; readonly webhooks: number }[];
}

const CHUNK = 200;
const READ_AT_ONCE = 100;
// One call looks at so many letters at most, whatever its filter passes …
const LOOKED_AT_MAX = 5_000;
// … and passes over so many that are replayed already.
const PASSED_OVER_MAX = 50_000;

interface Place {
  readonly webhookId: string;
  readonly endedAtMs: number;
}

interface Found extends Place {
  readonly location: WebhookLocation;
  readonly log: WebhookLog;
}

export interface DeadLettersOptions extends ShardOptions {
  readonly controls: Pick<
    KnownControls,
    'untilFresh' | 'untilLatest' | 'of' | 'isCancelled' | 'version' | 'now'
  >;
}

export function openDeadLetters(options: DeadLettersOptions): DeadLetters {
  const { connection, prefix, shards, controls } = options;
  const losses = lossesOf(connection);
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);

  function logKey({ shard, run, first }: WebhookLocation): string {
    return attemptLogKey(shardPrefix(prefix, shard), run, first);
  }

  /** All shards' letters in one order: by time, the latest first, then by id. */
  async function* places(
    campaignId: string,
    { fromMs, toMs }: DeadLetterFilter,
    after?: Place,
  ): AsyncGenerator<Place> {
    const heads = await Promise.all(
      Array.from({ length: shards }, async (_, shard) => {
        // Letters leave the set while it is read, for replays are delivered.
        const letters = readSortedSet(connection, deadLettersKey(shardPrefix(prefix, shard), campaignId), {
          order: 'descending',
          min: fromMs,
          below: toMs,
          after: after === undefined ? undefined : { member: after.webhookId, score: after.endedAtMs },
          pageSize: CHUNK,
        });
        return { letters, next: await letters.next() };
      }),
    );
    for (;;) {
      let latest: (typeof heads)[0] | undefined;
      for (const head of heads) {
        if (head.next.done) continue;
        if (latest === undefined || comesBefore(head.next.value, latest.next.value as SortedMember))
          latest = head;
      }
      if (latest === undefined) return;
      const { member, score } = latest.next.value as SortedMember;
      latest.next = await latest.letters.next();
      if (isTime(score)) yield { webhookId: member, endedAtMs: score };
    }
  }

  /** The letter; undefined if it is none any more, or is replayed already; `filtered` if it does not pass the filter. */
  async function read(place: Place, filter: DeadLetterFilter): Promise<Found | 'filtered' | undefined> {
    const location = parseWebhookId(place.webhookId);
    if (location === undefined) return undefined;
    const log = await readWebhookLog(connection, logKey(location), location.index);
    const last = log?.attempts.at(-1);
    if (log === undefined || last === undefined || !isDeadLetter(log)) return undefined;
    const { event, reason, channelConfigId } = filter;
    const passes =
      (event === undefined || event === last.event) &&
      (reason === undefined || reason === last.reason) &&
      (channelConfigId === undefined || channelConfigId === log.head.channelConfigId);
    return passes ? { ...place, location, log } : 'filtered';
  }

  async function countLetters(campaignId: string, { fromMs, toMs }: DeadLetterFilter): Promise<number> {
    const [min, max] = [fromMs ?? '-inf', toMs === undefined ? '+inf' : `(${toMs}`];
    const counts = await Promise.all(
      Array.from({ length: shards }, (_, shard) =>
        connection.zcount(deadLettersKey(shardPrefix(prefix, shard), campaignId), min, max),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** What is found at each place that a call may look at. `isLast`: it may look at no other, though there may be more. */
  async function* look(
    campaignId: string,
    filter: DeadLetterFilter,
    cursor: string | undefined,
  ): AsyncGenerator<{ readonly place: Place; readonly found: Found | undefined; readonly isLast: boolean }> {
    let [lookedAt, passedOver] = [0, 0];
    for await (const group of inGroups(places(campaignId, filter, placeOf(cursor)), READ_AT_ONCE)) {
      const answers = await Promise.all(group.map((place) => read(place, filter)));
      for (const [i, place] of group.entries()) {
        const found = answers[i];
        if (found === undefined) passedOver += 1;
        else lookedAt += 1;
        yield {
          place,
          found: typeof found === 'object' ? found : undefined,
          isLast: lookedAt === LOOKED_AT_MAX || passedOver === PASSED_OVER_MAX,
        };
      }
    }
  }

  /** Adds the job, then notes it: between the two the letter is still listed, and a second replay makes the same job. */
  async function replayOne(
    { location, log }: Pick<Found, 'location' | 'log'>,
    delayMs: number,
  ): Promise<boolean> {
    const { shard, run, first, index } = location;
    const text = await connection.hget(logKey(location), `${index}.webhook`);
    const webhook =
      text === null ? undefined : readObject<BundledWebhook>(text, ({ body }) => typeof body === 'string');
    if (webhook === undefined) return false;
    const attemptsBefore = (log.attempts.at(-1) as { attempt: number }).attempt;
    const attempt = attemptsBefore + 1;
    const { generation } = controls.of(log.head.campaignId);
    const now = Math.round(controls.now());
    const data: Bundle = {
      version: 1,
      ...headOf(log.head),
      run,
      first,
      attempt,
      attemptsBefore,
      replayedAt: now,
      ...(delayMs > 0 && { dueAt: now + delayMs }),
      controlsVersion: controls.version(),
      ...(generation !== undefined && { generation }),
      recheck: true,
      webhooks: [webhook],
    };
    const job = {
      jobId: replayJobId(run, first, index, { attempt, generation }),
      delay: delayMs,
      priority: REPLAY_PRIORITY,
      removeOnComplete: true,
      attempts: 1,
    };
    for (;;) {
      const before = losses();
      await queues.of(shard).add(data.campaignId, data, job);
      await noteReplay(connection, logKey(location), index, data);
      // Else the note may have come to a master that was not given the job.
      if (losses() === before) return true;
    }
  }

  async function isCancelledNow(campaignId: string): Promise<boolean> {
    await controls.untilLatest();
    return controls.isCancelled(campaignId, controls.of(campaignId).generation);
  }

  /** By what is fresh: for each letter of a long replay. */
  async function isStillActive(campaignId: string): Promise<boolean> {
    await controls.untilFresh();
    return !controls.isCancelled(campaignId, controls.of(campaignId).generation);
  }

  return {
    async list(campaignId, filter, limit, cursor) {
      const failures: DeadLetter[] = [];
      let last: Place | undefined;
      for await (const { place, found, isLast } of look(campaignId, filter, cursor)) {
        if (last !== undefined && failures.length === limit) return { failures, cursor: cursorOf(last) };
        last = place;
        if (found !== undefined) failures.push(toDeadLetter(found));
        if (isLast) return { failures, cursor: cursorOf(place) };
      }
      return { failures, cursor: undefined };
    },

    async replay(webhookId) {
      const location = parseWebhookId(webhookId);
      if (location === undefined || location.shard >= shards) return 'unknown';
      const log = await readWebhookLog(connection, logKey(location), location.index);
      if (log === undefined) return 'unknown';
      if (log.batchId !== undefined) return { batchId: log.batchId };
      if (!isDeadLetter(log)) return 'notFailed';
      if (await isCancelledNow(log.head.campaignId)) return 'cancelled';
      return (await replayOne({ location, log }, 0)) ? 'replayed' : 'unknown';
    },

    async replayCampaign(campaignId, filter, { webhooksMax, perSecond, cursor }) {
      if (await isCancelledNow(campaignId)) return 'cancelled';
      let replayed = 0;
      let last: Place | undefined;
      for await (const { place, found, isLast } of look(campaignId, filter, cursor)) {
        if (last !== undefined && replayed === webhooksMax)
          return { replayed, more: true, cursor: cursorOf(last) };
        // Cancelled meanwhile: the next call says so.
        if (found !== undefined && !(await isStillActive(campaignId)))
          return last === undefined || replayed === 0
            ? 'cancelled'
            : { replayed, more: true, cursor: cursorOf(last) };
        last = place;
        if (found !== undefined && (await replayOne(found, Math.round((replayed * 1_000) / perSecond))))
          replayed += 1;
        if (isLast) return { replayed, more: true, cursor: cursorOf(place) };
      }
      return { replayed, more: false };
    },

    async previewReplay(campaignId, filter, webhooksMax) {
      const byChannel = new Map<string | undefined, number>();
      let webhooks = 0;
      let more = false;
      for await (const { found, isLast } of look(campaignId, filter, undefined)) {
        more = isLast || webhooks === webhooksMax;
        if (webhooks === webhooksMax) break;
        if (found === undefined) {
          if (isLast) break;
          continue;
        }
        webhooks += 1;
        const { channelConfigId } = found.log.head;
        byChannel.set(channelConfigId, (byChannel.get(channelConfigId) ?? 0) + 1);
        if (isLast) break;
      }
      const channels = [...byChannel]
        .sort(([, a], [, b]) => b - a)
        .map(([channelConfigId, count]) => ({
          ...(channelConfigId !== undefined && { channelConfigId }),
          webhooks: count,
        }));
      return { webhooks, more, deadLetters: await countLetters(campaignId, filter), channels };
    },

    close: queues.close,
  };
}

async function* inGroups<T>(all: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const one of all) {
    group.push(one);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function comesBefore(a: SortedMember, b: SortedMember): boolean {
  return a.score > b.score || (a.score === b.score && a.member > b.member);
}

/** Undefined for a text that is no cursor. */
export function parseCursor(cursor: string): Place | undefined {
  const [, endedAtMs, webhookId] = /^(\d{1,15})_(wh_[0-9a-z_]{1,60})$/.exec(cursor) ?? [];
  return webhookId === undefined ? undefined : { endedAtMs: Number(endedAtMs), webhookId };
}

function placeOf(cursor: string | undefined): Place | undefined {
  return cursor === undefined ? undefined : parseCursor(cursor);
}

function cursorOf({ endedAtMs, webhookId }: Place): string {
  return `${endedAtMs}_${webhookId}`;
}

function headOf(head: BundleHead) {
  const { campaignId, acceptedAt, channelConfigId, destination, sealedDestination, trace } = head;
  return {
    campaignId,
    acceptedAt,
    ...(channelConfigId !== undefined && { channelConfigId }),
    ...(destination !== undefined && { destination }),
    ...(sealedDestination !== undefined && { sealedDestination }),
    ...(trace !== undefined && { trace }),
  };
}

function toDeadLetter({ webhookId, endedAtMs, log }: Found): DeadLetter {
  const { event, reason, cause, statusCode, responseBody } = log.attempts.at(-1) as LoggedAttempt;
  return {
    webhookId,
    messageId: log.messageId,
    ...(log.head.channelConfigId !== undefined && { channelConfigId: log.head.channelConfigId }),
    event,
    ...(reason !== undefined && { reason }),
    ...(cause !== undefined && causeView(cause)),
    ...(statusCode !== undefined && { statusCode }),
    attempts: log.attempts.length,
    ...(log.head.recipients !== undefined && { recipients: log.head.recipients }),
    endedAt: new Date(endedAtMs).toISOString(),
    ...(responseBody !== undefined && { responseBody }),
  };
}

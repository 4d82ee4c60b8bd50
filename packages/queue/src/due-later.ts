/**
 * How many webhooks wait for a time of their own, for the metrics: those that are scheduled, and those whose first attempt
 * failed. BullMQ's delayed set holds their jobs, among those that wait in lanes, and tells neither how many webhooks they
 * hold nor since when. So each shard has a hash of counts:
 *
 *     retry <minute>      recipients whose first attempt failed and that have not ended, by the minute since which they
 *                         could have been sent
 *     at <minute>         webhooks that are scheduled, by the minute that follows their time
 *     at <minute> since   when the first of them was accepted, in milliseconds since 1970
 *
 * The counts of retries change with the attempt log, in one step. Those of scheduled webhooks follow their job: if a
 * producer dies in between, they are off by its webhooks until their minute is over. Both are forgotten when a shard has no
 * job at all (reset-backlog.lua).
 */
import { type Bundle, type BundledWebhook, isBatch, recipientsOf } from '@hookfleet/contract';
import type { RedisConnection } from './connection.ts';
import { dueLaterKey } from './keys.ts';
import { readCount } from './read-stored.ts';

const MINUTE_MS = 60_000;
// Names in one command.
const FIELDS_AT_ONCE = 1_000;

export interface DueLater {
  readonly scheduled: WaitingCount;
  readonly retry: WaitingCount;
}

export interface WaitingCount {
  readonly webhooks: number;
  /** Since when the first of them waits, in milliseconds since 1970; undefined if none does. */
  readonly sinceMs: number | undefined;
}

const NONE: WaitingCount = { webhooks: 0, sinceMs: undefined };

/** Is this the first attempt since the webhook was enqueued, or replayed? */
function isFirstAttempt({ attempt, attemptsBefore = 0 }: Pick<Bundle, 'attempt' | 'attemptsBefore'>) {
  return attempt === attemptsBefore + 1;
}

/** The count that the bundle's retries are in. */
export function retryField({ acceptedAt, deliverAt = 0, replayedAt = 0 }: Bundle): string {
  return `retry ${Math.floor(Math.max(acceptedAt, deliverAt, replayedAt) / MINUTE_MS)}`;
}

/** The count that a bundle's webhooks are in; undefined: they wait for no time. */
export function dueLaterField(bundle: Bundle): string | undefined {
  if (!isFirstAttempt(bundle)) return retryField(bundle);
  const { deliverAt, attemptsBefore } = bundle;
  if (deliverAt === undefined || attemptsBefore !== undefined || isBatch(bundle)) return undefined;
  return scheduledField(deliverAt);
}

function scheduledField(deliverAtMs: number): string {
  return `at ${Math.ceil(deliverAtMs / MINUTE_MS)}`;
}

/** Counts webhooks of bundles whose jobs wait for their time in the queue. */
export async function countScheduled(
  connection: RedisConnection,
  shardTag: string,
  bundles: readonly Bundle[],
): Promise<void> {
  const key = dueLaterKey(shardTag);
  const byField = Map.groupBy(bundles, ({ deliverAt = 0 }) => scheduledField(deliverAt));
  await Promise.all(
    [...byField].flatMap(([field, of]) => [
      connection.hincrby(
        key,
        field,
        of.reduce((sum, { webhooks }) => sum + webhooks.length, 0),
      ),
      connection.hsetnx(key, `${field} since`, Math.min(...of.map(({ acceptedAt }) => acceptedAt))),
    ]),
  );
}

/** Forgets scheduled webhooks whose time has come: they are in the queue. */
export async function readDueLater(
  connection: RedisConnection,
  shardTag: string,
  nowMs: number,
): Promise<DueLater> {
  const key = dueLaterKey(shardTag);
  const fields = await connection.hgetall(key);
  const passed: string[] = [];
  let [scheduled, retry] = [NONE, NONE];
  for (const [field, value] of Object.entries(fields)) {
    const [kind, minute, part] = field.split(' ');
    const minuteMs = Number(minute) * MINUTE_MS;
    if (kind === 'retry') retry = sumOfCounts([retry, { webhooks: readCount(value), sinceMs: minuteMs }]);
    else if (minuteMs <= nowMs) passed.push(field);
    else if (part === undefined) {
      const since = fields[`${field} since`];
      const sinceMs = since === undefined ? undefined : Number(since);
      scheduled = sumOfCounts([scheduled, { webhooks: readCount(value), sinceMs }]);
    }
  }
  for (let i = 0; i < passed.length; i += FIELDS_AT_ONCE)
    await connection.hdel(key, ...passed.slice(i, i + FIELDS_AT_ONCE));
  return { scheduled, retry };
}

/** What waits in several places. */
export function sumOfCounts(counts: readonly WaitingCount[]): WaitingCount {
  return counts.reduce((sum, { webhooks, sinceMs }) => {
    if (webhooks <= 0) return sum;
    return {
      webhooks: sum.webhooks + webhooks,
      sinceMs: sum.sinceMs === undefined ? sinceMs : Math.min(sum.sinceMs, sinceMs ?? sum.sinceMs),
    };
  }, NONE);
}

/** By how much the count of the bundle's retries grows with an outcome of the webhook. */
export function growthOfRetries(bundle: Bundle, webhook: BundledWebhook, isFinal: boolean): number {
  if (isFirstAttempt(bundle)) return isFinal ? 0 : recipientsOf(webhook);
  return isFinal ? -recipientsOf(webhook) : 0;
}

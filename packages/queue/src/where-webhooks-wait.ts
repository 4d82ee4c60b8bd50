/**
 * Where the fleet's webhooks are, each in one place, for the metrics: in a lane, in a lot that gathers a batch, waiting for
 * a time of their own, or in the queue. The first three are counted where they wait (lane.lua, gather-webhooks.lua,
 * due-later.ts); the queue has the rest of what the campaigns' counters call pending, what workers have in hand
 * included. A reading costs two commands for each lane or lot that something waits in, up to a bound, and some ten
 * others.
 */
import type { Circuit } from './circuits.ts';
import type { RedisConnection } from './connection.ts';
import { readDueLater, sumOfCounts, type WaitingCount } from './due-later.ts';
import { dueLotsKey, gatheredKey, lotKeys, shardPrefix } from './keys.ts';
import {
  readWaiting,
  readWaitingRetries,
  readWaitingSince,
  WAIT_REASONS,
  type WaitingLane,
} from './lanes.ts';
import { readCount } from './read-stored.ts';

/**
 * `scheduled`: for `deliverAt`. `retry`: the first attempt failed, and the next is not due, or is in the queue. Then why
 * webhooks wait in lanes. `batch`: for others of their batch.
 */
export const HELD_REASONS = ['scheduled', 'retry', ...WAIT_REASONS, 'batch'] as const;

export type HeldReason = (typeof HELD_REASONS)[number];

export type Held = ReadonlyMap<HeldReason, WaitingCount>;

// Asked for their oldest: lanes, those in which most webhooks wait, and lots of each shard, those that are due next.
const LANES_LOOKED_AT = 1_000;
const LOTS_LOOKED_AT = 1_000;

/** What waits for something else than a worker, by reason. `notClosed`: circuits by their lane. */
export async function readHeld(
  { connection, prefix, shards }: { connection: RedisConnection; prefix: string; shards: number },
  notClosed: ReadonlyMap<string, Circuit>,
  nowMs: number,
): Promise<Held> {
  const tags = Array.from({ length: shards }, (_, shard) => shardPrefix(prefix, shard));
  const [lanes, retriesInLanes, later, batches] = await Promise.all([
    readLanes(connection, prefix, notClosed),
    readWaitingRetries(connection, prefix),
    Promise.all(tags.map((tag) => readDueLater(connection, tag, nowMs))),
    Promise.all(tags.map((tag) => readLots(connection, tag))),
  ]);
  const retries = sumOfCounts(later.map(({ retry }) => retry));
  return new Map<HeldReason, WaitingCount>([
    ...lanes,
    ['scheduled', sumOfCounts(later.map(({ scheduled }) => scheduled))],
    ['retry', { ...retries, webhooks: Math.max(0, retries.webhooks - retriesInLanes) }],
    ['batch', sumOfCounts(batches)],
  ]);
}

export interface WaitingWebhooks {
  readonly reason: 'queued' | HeldReason;
  readonly webhooks: number;
  /** Age of the one that waits longest; 0 if none does. */
  readonly oldestSeconds: number;
}

/**
 * Where all pending webhooks wait: the sum is `pending`, unless what waits in lanes and lots is more, for the counters may
 * be behind, and replays are not pending.
 */
export function whereAllWait(
  held: Held,
  pending: number,
  queuedOldestSeconds: number,
  nowMs: number,
): WaitingWebhooks[] {
  let rest = pending;
  const counts = HELD_REASONS.map((reason) => ({ reason, ...(held.get(reason) ?? sumOfCounts([])) }));
  const isExact = ({ reason }: { reason: HeldReason }) => reason !== 'scheduled' && reason !== 'retry';
  for (const { webhooks } of counts.filter(isExact)) rest -= webhooks;
  const waiting = counts.map((count): WaitingWebhooks => {
    let { webhooks } = count;
    if (!isExact(count)) {
      webhooks = Math.max(0, Math.min(webhooks, rest));
      rest -= webhooks;
    }
    return {
      reason: count.reason,
      webhooks,
      oldestSeconds: webhooks === 0 ? 0 : ageOf(count.sinceMs, nowMs),
    };
  });
  const queued = Math.max(0, rest);
  return [
    { reason: 'queued', webhooks: queued, oldestSeconds: queued === 0 ? 0 : queuedOldestSeconds },
    ...waiting,
  ];
}

/** In seconds; 0 of what nobody waits for. */
export function ageOf(sinceMs: number | undefined, nowMs: number): number {
  return sinceMs === undefined ? 0 : Math.max(0, (nowMs - sinceMs) / 1000);
}

async function readLanes(
  connection: RedisConnection,
  prefix: string,
  notClosed: ReadonlyMap<string, Circuit>,
): Promise<[HeldReason, WaitingCount][]> {
  const lanes = [...(await readWaiting(connection, prefix))].sort(([, a], [, b]) => b.webhooks - a.webhooks);
  const counts = await Promise.all(
    lanes.map(async ([lane, waiting], i) => ({
      reason: reasonOf(waiting, notClosed.get(lane)),
      webhooks: waiting.webhooks,
      sinceMs: i < LANES_LOOKED_AT ? await readWaitingSince(connection, prefix, lane) : undefined,
    })),
  );
  return [...Map.groupBy(counts, ({ reason }) => reason)].map(([reason, of]) => [reason, sumOfCounts(of)]);
}

/** A lane that is paused or open holds its webhooks for that, whatever they came for. */
function reasonOf({ reason }: WaitingLane, circuit: Circuit | undefined): HeldReason {
  if (circuit?.state === 'paused') return 'paused';
  return circuit?.state === 'open' ? 'circuit' : reason;
}

async function readLots(connection: RedisConnection, shardTag: string): Promise<WaitingCount> {
  const [gathered, lots] = await Promise.all([
    connection.get(gatheredKey(shardTag)),
    connection.zrange(dueLotsKey(shardTag), 0, String(LOTS_LOOKED_AT - 1)),
  ]);
  // An entry begins with the time of its arrival.
  const first = await Promise.all(lots.map((lot) => connection.lindex(lotKeys(shardTag, lot).order, 0)));
  const since = first.map((entry) => Number.parseInt(entry ?? '', 10)).filter(Number.isFinite);
  return {
    webhooks: readCount(gathered),
    sinceMs: since.length === 0 ? undefined : Math.min(...since),
  };
}

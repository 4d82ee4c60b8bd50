/**
 * Lanes: where webhooks wait that may not be sent now, and where their limits are held. There is one for each channel, one
 * for each origin of inline destinations, and one for each campaign (its pauses and its rate).
 *
 * What waits is a job in BullMQ's delayed set, with an entry in one lane (lane.lua):
 *
 *   queue ──take──▶ worker ──admit──▶ sent
 *     ▲               │
 *     └──release── waits in a lane
 *
 * Each lane with entries stands in one sorted set under the time at which to look at it. Workers take what is due from it
 * and release as much as the lane's limits and their own room allow. What is released is not sent by that: the worker that
 * takes the job asks again (`admit`), at the moment of sending.
 *
 * If a process dies between two steps:
 *   after the entry, before the job is delayed   its lock ends, BullMQ gives the job to another worker, which asks again
 *   after the release, before the job is back    the entry is released again after five seconds
 *   after admit, before the attempt is logged    as without a lane: the job is run again; its permits end by themselves
 * If the entry is lost (a Redis master fails, a replica without it takes over), BullMQ brings the job back at LOOKED_AT_MS.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bundle, type BundledWebhook, recipientsOf, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { campaignFlow } from './campaign-flows.ts';
import type { RedisConnection } from './connection.ts';
import {
  controlsKeys,
  laneFlowsKey,
  laneKeys,
  waitingKey,
  waitingRetriesKey,
  waitReasonsKey,
} from './keys.ts';
import { emptyJob, unlessGone } from './move-job.ts';
import { readCount } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

export const WAIT_REASONS = ['paused', 'circuit', 'rate', 'concurrency', 'busy'] as const;

/** `busy`: the destination has all the slots that it may have at the workers. */
export type WaitReason = (typeof WAIT_REASONS)[number];

export interface LaneLimits {
  /** Milliseconds between recipients by the lane's rate; 0: no rate. */
  readonly intervalMs: number;
  /** Recipients that may go at once after a pause. */
  readonly burst: number;
  /** Requests in flight over all workers; 0: no limit. */
  readonly concurrency: number;
}

/** A job of the webhooks queue, as its lanes know it. */
export interface LaneJob {
  readonly shard: number;
  readonly jobId: string;
  readonly flow: string;
  /** That are left to send. */
  readonly requests: number;
  readonly recipients: number;
}

/** The lanes of a job: both may hold it back. */
export interface LanePair {
  readonly campaign: string;
  readonly destination: string;
}

export interface Wait {
  readonly lane: string;
  readonly reason: WaitReason;
  /** When to look at the lane again, as far as the worker knows. */
  readonly lookInMs: number;
}

export interface AdmitRequest {
  readonly lanes: LanePair;
  readonly job: LaneJob;
  /** Webhooks that the worker has slots for. */
  readonly wanted: number;
  readonly campaignLimits: LaneLimits;
  readonly limits: LaneLimits;
  /** Requests of this worker in flight to the destination that hold no permit. */
  readonly withoutPermit: number;
}

export interface Admission {
  /** How many may be sent now. */
  readonly granted: number;
  /** One for each of them, if the destination's concurrency is limited: to be given back. */
  readonly permits: readonly string[];
  readonly isProbe: boolean;
  /** What the rest waits for; undefined if all were granted. */
  readonly wait: Wait | undefined;
}

export interface Lanes {
  /** Notes that the job waits. It must be moved to the delayed set then. May be repeated. */
  wait(lanes: LanePair, wait: Wait, job: LaneJob): Promise<void>;
  admit(request: AdmitRequest): Promise<Admission>;
  /** The job is in a worker's hands, and meets no limit. It keeps its place in its lane until it leaves. */
  begin(lanes: LanePair, job: Pick<LaneJob, 'shard' | 'jobId'>): Promise<void>;
  /** The job is ended: it waits in no lane any more. */
  leave(lanes: LanePair, job: Pick<LaneJob, 'shard' | 'jobId'>): Promise<void>;
  /** True if something waits for the permits. */
  giveBack(lane: string, permits: readonly string[]): Promise<boolean>;
  /**
   * Brings jobs of the lane back to the queue, as far as its limits and `room` (in requests) allow. Resolves to the
   * milliseconds until the lane should be looked at again; undefined: when something happens to it.
   */
  release(lane: string, limits: LaneLimits, room: number): Promise<number | undefined>;
  /** Takes lanes that are due to be looked at. They are due again a moment later. */
  takeDue(lanesMax: number): Promise<string[]>;
  close(): Promise<void>;
}

// Longer than a look takes. All workers of a fleet have room of their own: each is to have its turn soon.
const TAKEN_MS = 250;
const JOBS_AT_ONCE = 200;
// A worker moves a job to the delayed set within a round trip of the note that it waits.
const BRING_BACK_AFTER_MS = [5, 20, 100, 300];
/** When BullMQ brings a waiting job back if nobody else does. Spread, so that not all of a large lane come together. */
export const LOOKED_AT_MS = 30 * 60_000;

export function openLanes(
  options: ShardOptions & {
    /** A permit that is not given back ends after this time: longer than an attempt takes. */
    readonly permitMs: number;
    /** Unique to this process. */
    readonly workerId: string;
  },
): Lanes {
  const { connection, prefix, permitMs, workerId } = options;
  defineScripts(connection);
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();
  let admissions = 0;

  /** What fails here is done again when the lane is looked at. */
  function inBackground(work: Promise<void>): void {
    const done = work.catch(() => undefined).finally(() => underWay.delete(done));
    underWay.add(done);
  }

  function run(
    verb: string,
    lanes: readonly [string, string?],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return runVerb(connection, prefix, verb, lanes, args);
  }

  /**
   * True if the job is back in the queue, or was there. False if a worker has it: one that has noted that it waits, and has not
   * moved it to the delayed set yet. A job that is gone leaves its lane.
   */
  async function bringBack(lane: string, name: string): Promise<boolean> {
    const { shard, jobId } = parseName(name);
    const queue = queues.of(shard);
    if (await unlessGone(emptyJob(queue, jobId).promote())) return true;
    const state = await queue.getJobState(jobId);
    if (state === 'unknown') await run('leave', [lane], [name]);
    return state !== 'active' && state !== 'delayed';
  }

  /** Sooner than the lane would be looked at for what was released and not begun. */
  async function bringBackLater(lane: string, name: string): Promise<void> {
    for (const pauseMs of BRING_BACK_AFTER_MS) {
      await sleep(pauseMs, undefined, { signal: closing.signal });
      if (await bringBack(lane, name)) return;
    }
  }

  return {
    async wait({ campaign, destination }, { lane, reason, lookInMs }, job) {
      const other = lane === campaign ? destination : campaign;
      const { flow, requests, recipients } = job;
      await run('wait', [lane, other], [reason, lookInMs, nameOf(job), flow, requests, recipients]);
    },
    async admit({ lanes, job, wanted, campaignLimits, limits, withoutPermit }) {
      const permit = `${workerId}:${admissions++}:`;
      const [granted, waitsIn, reason, lookInMs, isProbe] = (await run(
        'admit',
        [lanes.campaign, lanes.destination],
        [
          nameOf(job),
          wanted,
          job.recipients / job.requests,
          campaignLimits.intervalMs,
          campaignLimits.burst,
          limits.intervalMs,
          limits.burst,
          limits.concurrency,
          withoutPermit,
          permit,
          permitMs,
        ],
      )) as [number, number, WaitReason, number, number];
      return {
        granted,
        permits:
          limits.concurrency === 0 ? [] : Array.from({ length: granted }, (_, i) => `${permit}${i + 1}`),
        isProbe: isProbe === 1,
        wait:
          granted === wanted
            ? undefined
            : { lane: waitsIn === 1 ? lanes.campaign : lanes.destination, reason, lookInMs },
      };
    },
    async begin({ campaign, destination }, job) {
      await run('begin', [campaign, destination], [nameOf(job)]);
    },
    async leave({ campaign, destination }, job) {
      await run('leave', [campaign, destination], [nameOf(job)]);
    },
    giveBack: async (lane, permits) => (await run('giveBack', [lane], permits)) === 1,
    async release(lane, { intervalMs, burst, concurrency }, room) {
      const [lookInMs, ...released] = (await run(
        'release',
        [lane],
        [room, intervalMs, burst, concurrency, JOBS_AT_ONCE],
      )) as [number, ...string[]];
      const isBack = await Promise.all(released.map((name) => bringBack(lane, name)));
      for (const [i, name] of released.entries()) if (!isBack[i]) inBackground(bringBackLater(lane, name));
      return lookInMs === -1 ? undefined : lookInMs;
    },
    async takeDue(lanesMax) {
      const [, ...due] = (await runScript(
        connection,
        'claimDue',
        [controlsKeys(prefix).dueLanes],
        [lanesMax, TAKEN_MS],
      )) as [number, ...string[]];
      return due;
    },
    async close() {
      closing.abort();
      await Promise.all(underWay);
      await queues.close();
    },
  };
}

/** The job as its lanes know it, with what is left of its webhooks. */
export function laneJobOf(
  shard: number,
  jobId: string,
  { campaignId, attempt }: Pick<Bundle, 'campaignId' | 'attempt'>,
  webhooks: readonly BundledWebhook[],
): LaneJob {
  return {
    shard,
    jobId,
    flow: campaignFlow(campaignId, attempt > 1),
    requests: webhooks.length,
    recipients: webhooks.reduce((sum, webhook) => sum + recipientsOf(webhook), 0),
  };
}

/** Runs a verb of lane.lua. */
export function runVerb(
  connection: RedisConnection,
  prefix: string,
  verb: string,
  [one, other = '']: readonly [string, string?],
  args: readonly (string | number)[],
): Promise<unknown> {
  const { dueLanes, circuits, priorities } = controlsKeys(prefix);
  const keys = [
    dueLanes,
    waitingKey(prefix),
    waitReasonsKey(prefix),
    circuits,
    priorities,
    waitingRetriesKey(prefix),
    ...laneKeys(prefix, one),
    ...(other === '' ? [] : laneKeys(prefix, other)),
  ];
  return runScript(connection, 'lane', keys, [verb, one, other, ...args]);
}

export interface WaitingLane {
  /** Webhooks, each recipient of a batch for itself. */
  readonly webhooks: number;
  readonly reason: WaitReason;
}

/** What waits, by lane. */
export async function readWaiting(
  connection: RedisConnection,
  prefix: string,
): Promise<ReadonlyMap<string, WaitingLane>> {
  const [counts, reasons] = await Promise.all([
    connection.hgetall(waitingKey(prefix)),
    connection.hgetall(waitReasonsKey(prefix)),
  ]);
  return new Map(
    Object.entries(counts).map(([lane, count]) => [
      lane,
      { webhooks: readCount(count), reason: (reasons[lane] ?? 'busy') as WaitReason },
    ]),
  );
}

/** How many of all that wait in lanes are retries, in recipients. */
export async function readWaitingRetries(connection: RedisConnection, prefix: string): Promise<number> {
  return readCount(await connection.get(waitingRetriesKey(prefix)));
}

// A lane has a flow for each campaign whose webhooks wait in it, and one for their retries.
const FLOWS_LOOKED_AT = 200;

/**
 * Since when the first of the lane waits, in milliseconds since 1970; undefined if all are in workers' hands. Of a lane in which
 * more than FLOWS_LOOKED_AT flows wait, those that are next are looked at.
 */
export async function readWaitingSince(
  connection: RedisConnection,
  prefix: string,
  lane: string,
): Promise<number | undefined> {
  const sinceMs = await runVerb(connection, prefix, 'oldest', [lane], [FLOWS_LOOKED_AT]);
  return sinceMs === null ? undefined : Number(sinceMs);
}

/** Those of the campaigns of which webhooks wait in the lane; not those that are in workers' hands, as a probe is. */
export async function readCampaignsWaiting(
  connection: RedisConnection,
  prefix: string,
  lane: string,
  campaignIds: readonly string[],
): Promise<ReadonlySet<string>> {
  if (campaignIds.length === 0) return new Set();
  const flows = campaignIds.flatMap((id) => [campaignFlow(id, false), campaignFlow(id, true)]);
  const tags = await connection.zmscore(laneFlowsKey(prefix, lane), ...flows);
  return new Set(campaignIds.filter((_, i) => tags[2 * i] !== null || tags[2 * i + 1] !== null));
}

/** No job id holds a colon. */
function nameOf({ shard, jobId }: Pick<LaneJob, 'shard' | 'jobId'>): string {
  return `${shard}:${jobId}`;
}

function parseName(name: string): { shard: number; jobId: string } {
  const at = name.indexOf(':');
  return { shard: Number(name.slice(0, at)), jobId: name.slice(at + 1) };
}

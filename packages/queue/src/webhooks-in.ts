/**
 * The webhooks queue's exit. BullMQ's own loop counts jobs and wakes when a job ends; ours counts webhooks and bytes and
 * wakes when a webhook ends, so that one slow webhook of a bundle doesn't hold back the room of its finished siblings.
 * So the jobs are fetched by hand (docs.bullmq.io, "Manually processing jobs"): fetching, completing, stalled checks
 * and locks stay BullMQ's; the loop, the renewal of locks and the stop are here.
 *
 * A job's life:   fetched → processed → completed         all its webhooks are recorded
 *                                     → back to wait      the process drains: some were not attempted
 *                                     → delayed           it was taken before its time, or waits in a lane (lanes.ts);
 *                                                         or processing threw: our fault, tried again later;
 *                                                         or a later version wrote it: for a worker that knows it
 *                                     → failed            not a bundle
 * Where the connection is lost before the job's end is known, what its run has written may be gone with a master that
 * failed, and the end be kept by its successor: the job is run again, or added again, and looks into the log.
 * If the process dies anywhere in it, the lock expires and the job is fetched again, by anyone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BUNDLE_VERSION, type Bundle, type BundledWebhook, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { Job, Worker } from 'bullmq';
import { createBundleCapacity, type JobWeight } from './bundle-capacity.ts';
import { lossesOf } from './count-losses.ts';
import { shardPrefix } from './keys.ts';
import { onceAvailable } from './once-available.ts';
import { refuseLaterVersion } from './later-version.ts';
import type { ShardOptions } from './shard-queues.ts';

// After an error of Redis or of ours, the same thing is tried again after this time.
const PAUSE_AFTER_ERROR_MS = 1_000;
// While Redis is away, a fetch may wait for its connection for ever. If it takes a job after that, the job's lock ends and
// another worker runs it.
const CLOSE_WITHIN_MS = 3_000;
// Seconds that a fetch blocks on an empty queue.
const DRAIN_DELAY_S = 5;

export interface BundleRun {
  /** As it stands in Redis: checked by the processor. */
  readonly data: unknown;
  /** The job's: what kind of data it is. */
  readonly name: string;
  readonly shard: number;
  readonly jobId: string;
  /** The job was begun before: what it did then stands in the attempt log. */
  readonly repeated: boolean;
  /** How many workers have died while they had it, as far as is known. */
  readonly deaths: number;
  /** Aborted when the process drains or the job's lock is lost: begin no more attempts. */
  readonly signal: AbortSignal;
  /** Tells that webhooks of the bundle need no more room. */
  settled(webhooks: number): void;
}

/**
 * `finished`: every webhook is recorded. `released`: some are left, for whoever takes the job next. `dueInMs`: the job is not
 * to be taken before that; `left`: the webhooks that are to be sent then, all others are reported, and the job goes before
 * what came meanwhile, for it has waited.
 */
export type BundleRunEnd =
  | 'finished'
  | 'released'
  | { readonly dueInMs: number; readonly left?: readonly BundledWebhook[] };

/** Thrown by a processor for data that no worker will ever understand. */
export class UnreadableBundleError extends Error {
  override readonly name = 'UnreadableBundleError';
}

export interface ConsumeWebhooksOptions extends ShardOptions {
  /** Webhooks in hand at most, over all shards, but for the rest of the last bundle. */
  readonly webhooksMax: number;
  /** Bytes of their bodies at most, but for the last job. By the process's memory if absent. */
  readonly bytesMax?: number;
  readonly lockDurationMs: number;
  readonly stalledIntervalMs: number;
  /** Seconds for which a fetch blocks on an empty queue. */
  readonly drainDelayS?: number;
  readonly process: (run: BundleRun) => Promise<BundleRunEnd>;
  /** The shard's queue was found empty. */
  readonly onDrained: (shard: number) => void;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

export interface WebhooksConsumer {
  /** Takes no more bundles, waits for those in hand, closes. */
  stop(): Promise<void>;
  /** When a bundle was last taken, or the queue found empty: what a health check asks. Milliseconds since 1970. */
  lastProgressAt(): number;
  /** When the read of the shard's queue that is under way began; now if none is. Milliseconds since 1970. */
  readingSince(shard: number): number;
  inHand(): number;
}

export function consumeWebhooks(options: ConsumeWebhooksOptions): WebhooksConsumer {
  const { connection, prefix, shards, lockDurationMs, drainDelayS = DRAIN_DELAY_S, onError } = options;
  const losses = lossesOf(connection);
  const stopping = new AbortController();
  const capacity = createBundleCapacity(options);
  const running = new Map<Job, { token: string; lost: AbortController }>();
  const underWay = new Set<Promise<void>>();
  const readingSince = new Map<number, number>();
  let lastProgressAt = Date.now();
  let tokens = 0;

  const workers = Array.from({ length: shards }, (_, shard) => {
    const worker = new Worker(WEBHOOKS_QUEUE, null, {
      connection,
      prefix: shardPrefix(prefix, shard),
      lockDuration: lockDurationMs,
      stalledInterval: options.stalledIntervalMs,
      drainDelay: drainDelayS,
      // We bound starts ourselves: past BullMQ's bound a job would fail without anyone recording it.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    });
    worker.on('error', (error) => onError(error, { shard }));
    worker.startStalledCheckTimer().catch((error: Error) => onError(error, { shard }));
    return worker;
  });

  async function fetchLoop(worker: Worker, shard: number): Promise<void> {
    while (!stopping.signal.aborted) {
      await capacity.untilRoom(stopping.signal);
      if (stopping.signal.aborted) return;
      const token = `${worker.id}:${tokens++}`;
      readingSince.set(shard, Date.now());
      try {
        const job = await worker.getNextJob(token, { block: true });
        lastProgressAt = Date.now();
        if (job !== undefined) start(worker, shard, job, token);
        else if (!stopping.signal.aborted) options.onDrained(shard);
      } catch (error) {
        if (stopping.signal.aborted) return;
        onError(error as Error, { shard, doing: 'fetch' });
        // A stop ends it early.
        await sleep(PAUSE_AFTER_ERROR_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      } finally {
        readingSince.delete(shard);
      }
    }
  }

  function start(worker: Worker, shard: number, job: Job, token: string): void {
    const run = runJobs(worker, shard, job, token).finally(() => underWay.delete(run));
    underWay.add(run);
  }

  /** Runs the job, then each next one that Redis hands over with a completion. */
  async function runJobs(worker: Worker, shard: number, first: Job, token: string): Promise<void> {
    let job: Job | undefined = first;
    while (job !== undefined) job = await runJob(worker, shard, job, token);
  }

  async function runJob(worker: Worker, shard: number, job: Job, token: string): Promise<Job | undefined> {
    const lost = new AbortController();
    const weight = weightOf(job.data);
    const inHand = capacity.take(weight);
    running.set(job, { token, lost });
    const context = { shard, jobId: job.id };
    const before = losses();
    const isSure = () => losses() === before;
    try {
      const end = await process(job, shard, AbortSignal.any([stopping.signal, lost.signal]), inHand.settled);
      inHand.settled(weight.webhooks);
      if (lost.signal.aborted) return undefined;
      // Its lock ends with the next call: from here on there is none to renew, or to miss.
      running.delete(job);
      if (typeof end === 'object' && isSure()) return void (await delay(job, token, end));
      if (end !== 'finished' || !isSure()) return void (await job.moveToWait(token));
      const next = await complete(worker, job, token);
      if (!isSure()) await bringBack(worker, job, context);
      return next;
    } catch (error) {
      onError(error as Error, context);
      inHand.settled(weight.webhooks);
      await setAside(job, token, error as Error).catch((failure: Error) => onError(failure, context));
      if (!isSure()) await bringBack(worker, job, context);
      return undefined;
    } finally {
      running.delete(job);
      inHand.ended();
    }
  }

  async function process(
    job: Job,
    shard: number,
    signal: AbortSignal,
    settled: (webhooks: number) => void,
  ): Promise<BundleRunEnd> {
    // However often it was begun: it comes back until somebody knows it.
    refuseLaterVersion('a bundle', job.data, BUNDLE_VERSION);
    return options.process({
      data: job.data,
      name: job.name,
      shard,
      jobId: job.id ?? '',
      repeated: job.attemptsStarted > 1,
      deaths: job.stalledCounter,
      signal,
      settled,
    });
  }

  async function complete(worker: Worker, job: Job, token: string): Promise<Job | undefined> {
    const cancelReservation = stopping.signal.aborted ? undefined : capacity.reserve();
    const next = await job
      .moveToCompleted(null, token, cancelReservation !== undefined)
      .finally(cancelReservation);
    lastProgressAt = Date.now();
    const [data, id] = Array.isArray(next) ? next : [];
    return data ? Job.fromJSON(worker, data, id) : undefined;
  }

  async function delay(
    job: Job,
    token: string,
    { dueInMs, left }: Exclude<BundleRunEnd, string>,
  ): Promise<void> {
    const data = job.data as Bundle;
    // One after the other over one connection: all of it is written when the job is delayed.
    await Promise.all([
      left !== undefined && left.length < data.webhooks.length && job.updateData({ ...data, webhooks: left }),
      left !== undefined && job.changePriority({ priority: 0 }),
      job.moveToDelayed(Date.now() + dueInMs, token),
    ]);
  }

  /** An unreadable bundle fails for good; any other error is ours, and the bundle comes back a little later. */
  async function setAside(job: Job, token: string, error: Error): Promise<void> {
    if (error instanceof UnreadableBundleError) await job.moveToFailed(error, token, false);
    else if (!isLockLost(error))
      await job.moveToDelayed(Date.now() + PAUSE_AFTER_ERROR_MS * Math.min(job.attemptsStarted, 60), token);
  }

  /** Adds the job again: changes nothing where it is there still. Redis may be away for as long as a failover takes. */
  async function bringBack(worker: Worker, job: Job, context: Record<string, unknown>): Promise<void> {
    const { name, data, id, opts } = job;
    const again = Array.isArray(data?.webhooks) ? { ...data, recheck: true } : data;
    await onceAvailable(() =>
      Job.create(worker, name, again, { ...opts, delay: 0, jobId: id as string }),
    ).catch((error: Error) => onError(error, context));
  }

  async function renewLocks(): Promise<void> {
    for (const worker of workers) {
      const jobs = [...running].filter(([job]) => job.queueQualifiedName === worker.qualifiedName);
      if (jobs.length === 0) continue;
      const ids = jobs.map(([job]) => job.id ?? '');
      const failed = await worker.extendJobLocks(
        ids,
        jobs.map(([, { token }]) => token),
        lockDurationMs,
      );
      for (const [job, { lost }] of jobs) {
        if (running.has(job) && failed.includes(job.id ?? '')) {
          onError(new Error('lock lost: another worker may run this bundle'), { jobId: job.id });
          lost.abort();
        }
      }
    }
  }

  // A third of the lock's duration: two renewals may fail before a lock is lost.
  const renewal = setInterval(() => {
    renewLocks().catch((error: Error) => onError(error, { doing: 'renew locks' }));
  }, lockDurationMs / 3);
  const loops = workers.map((worker, shard) => fetchLoop(worker, shard));

  return {
    async stop() {
      stopping.abort();
      while (underWay.size > 0) await Promise.all(underWay);
      // By force: a fetch that blocks on an empty queue would hold the stop for drainDelayS. No job is hurt by it.
      const closed = Promise.all(workers.map((worker) => worker.close(true))).then(() => Promise.all(loops));
      await Promise.race([closed, sleep(CLOSE_WITHIN_MS, undefined, { ref: false })]);
      // What was fetched while the stop began goes back.
      while (underWay.size > 0) await Promise.all(underWay);
      clearInterval(renewal);
    },
    lastProgressAt: () => lastProgressAt,
    readingSince: (shard) => readingSince.get(shard) ?? Date.now(),
    inHand: capacity.inHand,
  };
}

/** A job put into Redis by somebody else may hold anything: it weighs one. */
function weightOf(data: Partial<Bundle> | undefined): JobWeight {
  if (!Array.isArray(data?.webhooks)) return { webhooks: 1, bytes: 0 };
  const bytes = data.webhooks.reduce(
    (sum, webhook) => sum + (typeof webhook?.body === 'string' ? Buffer.byteLength(webhook.body) : 0),
    0,
  );
  return { webhooks: Math.max(1, data.webhooks.length), bytes };
}

function isLockLost(error: Error): boolean {
  return /Missing lock|Missing key|not in the active state|Lock mismatch/i.test(error.message);
}

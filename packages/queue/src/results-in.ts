/**
 * The results queue's exit: BullMQ's own worker, one per shard. A job that can't be applied comes back after a
 * second, for ever: dropping it would be a miscount. So does one that a later version wrote, until an aggregator takes
 * it that knows it. Data that is no results is set aside as failed. Where the connection is lost before a job's end is
 * known, its counts may be gone with a master that failed, and its end be kept by the successor: it is added again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { compileValidator, Results, RESULTS_QUEUE, RESULTS_VERSION_WITH_EVENTS } from '@hookfleet/contract';
import { Job, UnrecoverableError, Worker } from 'bullmq';
import { lossesOf } from './count-losses.ts';
import { shardPrefix } from './keys.ts';
import { refuseLaterVersion } from './later-version.ts';
import { type ReplicaWait, shardKeys } from './replica-wait.ts';
import type { ShardOptions } from './shard-queues.ts';

export interface ConsumeResultsOptions extends ShardOptions {
  /** Results jobs under way at once, per shard. */
  readonly concurrency: number;
  readonly lockDurationMs: number;
  readonly stalledIntervalMs: number;
  /** Of what a job tells, before it is applied. */
  readonly handOverWait?: ReplicaWait | undefined;
  /** Must be safe to repeat: a job is applied again when its worker died or its reply was lost. */
  readonly apply: (results: Results) => Promise<void>;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
  /** How long a stop waits for Redis. Default: 3 s. */
  readonly closeWithinMs?: number;
}

export interface ResultsConsumer {
  /** Takes no more, finishes what it has, closes. */
  stop(): Promise<void>;
  /** When a job was last finished or the queue found empty. Milliseconds since 1970. */
  lastProgressAt(): number;
  /** When the shard's queue was last asked for a job; now if one of its jobs is under way. Milliseconds since 1970. */
  readingSince(shard: number): number;
  active(): number;
}

// With Redis away, BullMQ's worker may wait for its blocking connection for ever, also when Redis is back. What is left
// then is a job or two that were applied and not removed: another run of them changes nothing.
const CLOSE_WITHIN_MS = 3_000;

class ResultsWorker extends Worker {
  lastAskedAt = Date.now();
  active = 0;

  /** BullMQ asks it before each wait for a job. */
  protected override getBlockTimeout(blockUntil: number): number {
    this.lastAskedAt = Date.now();
    return super.getBlockTimeout(blockUntil);
  }

  /** BullMQ's own way to take a job: it waits for Redis for as long as that is away. */
  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    this.lastAskedAt = Date.now();
    return super.moveToActive(token, name);
  }

  /** For a worker that does not close: the check for stalled jobs, and the renewal of locks. */
  async stopTimers(): Promise<void> {
    await this.pause(true);
    await this.lockManager.close();
  }
}

const validateResults = compileValidator<Results>(Results);

export function consumeResults(options: ConsumeResultsOptions): ResultsConsumer {
  const { connection, prefix, shards, handOverWait, onError, closeWithinMs = CLOSE_WITHIN_MS } = options;
  let lastProgressAt = Date.now();
  const losses = lossesOf(connection);
  const lossesBefore = new WeakMap<Job, number>();
  const addingAgain = new Set<Promise<unknown>>();
  const progress = () => {
    lastProgressAt = Date.now();
  };

  /**
   * The attempts that a job tells of are in its shard, written before it: they must not be gone when they are counted. A
   * master that another has replaced may still answer with jobs that are no more.
   */
  async function untilKept(job: Job, shard: number, wait: ReplicaWait): Promise<void> {
    const kept = wait.begin();
    const isOurs = (await job.extendLock(job.token ?? '', options.lockDurationMs)) === 1;
    if (!isOurs) throw new Error('NOREPLICAS the job is not known to the master that there is now');
    await kept(shardKeys(options, [shard]));
  }

  const workers = Array.from({ length: shards }, (_, shard) => {
    const worker = new ResultsWorker(
      RESULTS_QUEUE,
      async (job) => {
        refuseLaterVersion('results', job.data, RESULTS_VERSION_WITH_EVENTS);
        const checked = validateResults(job.data);
        if ('errors' in checked) {
          throw new UnrecoverableError(
            `not results: ${checked.errors.map(({ field, detail }) => `${field} ${detail}`).join(', ')}`,
          );
        }
        worker.active += 1;
        lossesBefore.set(job, losses());
        try {
          if (handOverWait !== undefined) await untilKept(job, shard, handOverWait);
          await options.apply(checked.value);
        } finally {
          worker.active -= 1;
        }
        return null;
      },
      {
        connection,
        prefix: shardPrefix(prefix, shard),
        concurrency: options.concurrency,
        lockDuration: options.lockDurationMs,
        stalledInterval: options.stalledIntervalMs,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        runRetryDelay: 1_000,
      },
    );
    worker.on('error', (error) => onError(error, { shard }));
    worker.on('failed', (job, error) => onError(error, { shard, jobId: job?.id }));
    worker.on('completed', (job) => {
      progress();
      if (lossesBefore.get(job) === losses()) return;
      // It has a number of the queue's, as its first time.
      const { jobId: _jobId, ...opts } = job.opts;
      const adding = Job.create(worker, job.name, job.data, { ...opts, delay: 0 })
        .catch((error: Error) => onError(error, { shard, jobId: job.id, doing: 'add results again' }))
        .finally(() => addingAgain.delete(adding));
      addingAgain.add(adding);
    });
    worker.on('drained', progress);
    return worker;
  });

  const active = () => workers.reduce((sum, worker) => sum + worker.active, 0);
  return {
    async stop() {
      const closed = Promise.all(workers.map((worker) => worker.close())).then(() => true);
      let isClosed = false;
      do isClosed = await Promise.race([closed, sleep(closeWithinMs, false, { ref: false })]);
      while (!isClosed && active() > 0);
      await Promise.race([Promise.all(addingAgain), sleep(closeWithinMs, undefined, { ref: false })]);
      if (isClosed) return;
      // BullMQ stops these timers only after its wait has ended: without this, they run until the process ends.
      await Promise.all(workers.map((worker) => worker.stopTimers()));
      // Not awaited: it waits for the same.
      for (const worker of workers)
        worker.disconnect().catch((error: Error) => onError(error, { doing: 'leave the results queue' }));
    },
    lastProgressAt: () => lastProgressAt,
    readingSince(shard) {
      const worker = workers[shard];
      return worker === undefined || worker.active > 0 ? Date.now() : worker.lastAskedAt;
    },
    active,
  };
}

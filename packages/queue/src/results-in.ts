/**
 * The results queue's exit: BullMQ's own worker, one per shard. A job that can't be applied comes back after a
 * second, for ever: dropping it would be a miscount. Data that is no results is set aside as failed.
 */
import { compileValidator, Results, RESULTS_QUEUE } from '@hookfleet/contract';
import { UnrecoverableError, Worker } from 'bullmq';
import { shardPrefix } from './keys.ts';
import type { ShardOptions } from './shard-queues.ts';

export interface ConsumeResultsOptions extends ShardOptions {
  /** Results jobs under way at once, per shard. */
  readonly concurrency: number;
  readonly lockDurationMs: number;
  readonly stalledIntervalMs: number;
  /** Must be safe to repeat: a job is applied again when its worker died or its reply was lost. */
  readonly apply: (results: Results) => Promise<void>;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

export interface ResultsConsumer {
  /** Takes no more, finishes what it has, closes. */
  stop(): Promise<void>;
  /** When a job was last finished or the queue found empty. Milliseconds since 1970. */
  lastProgressAt(): number;
  active(): number;
}

const validateResults = compileValidator<Results>(Results);

export function consumeResults(options: ConsumeResultsOptions): ResultsConsumer {
  const { connection, prefix, shards, onError } = options;
  let lastProgressAt = Date.now();
  let active = 0;
  const progress = () => {
    lastProgressAt = Date.now();
  };

  const workers = Array.from({ length: shards }, (_, shard) => {
    const worker = new Worker(
      RESULTS_QUEUE,
      async (job) => {
        const checked = validateResults(job.data);
        if ('errors' in checked) {
          throw new UnrecoverableError(
            `not results: ${checked.errors.map(({ field, detail }) => `${field} ${detail}`).join(', ')}`,
          );
        }
        active += 1;
        try {
          await options.apply(checked.value);
        } finally {
          active -= 1;
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
    worker.on('completed', progress);
    worker.on('drained', progress);
    return worker;
  });

  return {
    async stop() {
      await Promise.all(workers.map((worker) => worker.close()));
    },
    lastProgressAt: () => lastProgressAt,
    active: () => active,
  };
}

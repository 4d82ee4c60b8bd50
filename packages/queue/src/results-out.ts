/** The results queue's entrance: workers put outcomes there, producers what they accepted. */
import { RESULTS_QUEUE, RESULTS_VERSION, type Results } from '@hookfleet/contract';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

export interface ResultsOut {
  /** Resolves once the results are in the shard's queue. */
  add(shard: number, results: Omit<Results, 'version'>): Promise<void>;
  close(): Promise<void>;
}

// Counting fails only when Redis or we are at fault, so it is tried until it succeeds: dropping would be a miscount.
const RESULTS_JOB = {
  removeOnComplete: true,
  attempts: Number.MAX_SAFE_INTEGER,
  backoff: { type: 'fixed', delay: 1_000 },
} as const;

export function openResultsOut(options: ShardOptions): ResultsOut {
  const queues = openShardQueues(RESULTS_QUEUE, options);
  return {
    async add(shard, results) {
      await queues.of(shard).add('results', { version: RESULTS_VERSION, ...results }, RESULTS_JOB);
    },
    close: queues.close,
  };
}

/** The results queue's entrance: workers put outcomes there, producers what they accepted and custom events. */
import {
  RESULTS_QUEUE,
  RESULTS_VERSION,
  RESULTS_VERSION_WITH_EVENTS,
  type Results,
} from '@hookfleet/contract';
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
      const version = results.events === undefined ? RESULTS_VERSION : RESULTS_VERSION_WITH_EVENTS;
      await queues.of(shard).add('results', { version, ...results }, RESULTS_JOB);
    },
    close: queues.close,
  };
}

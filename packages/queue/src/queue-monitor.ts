/** What the queues hold: for metrics and for scaling. None of a sample's commands scans. */
import { type Bundle, RESULTS_QUEUE, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import type { Job, Queue } from 'bullmq';
import { type Circuit, openCircuits } from './circuits.ts';
import { sumOfCounts } from './due-later.ts';
import { attemptsCounterKey, shardPrefix } from './keys.ts';
import { type RedisMemory, readRedisMemory } from './redis-memory.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';
import { ageOf, HELD_REASONS, type Held, readHeld } from './where-webhooks-wait.ts';

export type QueueName = typeof WEBHOOKS_QUEUE | typeof RESULTS_QUEUE;

export const QUEUE_STATES = ['waiting', 'active', 'delayed', 'failed'] as const;

export type QueueState = (typeof QUEUE_STATES)[number];

export interface QueueSample {
  /** Jobs, not webhooks, summed over the shards. */
  readonly queues: readonly { queue: QueueName; state: QueueState; jobs: number }[];
  /** Age of the job that waits longest; 0 where none waits. Delayed jobs don't wait. */
  readonly oldestSeconds: readonly { queue: QueueName; seconds: number }[];
  readonly attemptsPerSecond: number;
  /**
   * Time to drain what waits for workers at the rate of late; where nothing is attempted at all, the age of the
   * oldest. What waits for a circuit, its campaign's controls or its batch is left out: more workers would not send it.
   */
  readonly backlogSeconds: number;
  /** Webhooks that wait in lanes, or for their batch. */
  readonly parkedWebhooks: number;
  /** Age of the one that waits there longest; 0 if none does. */
  readonly parkedOldestSeconds: number;
  /** Webhooks that wait for something else than a worker, by reason. */
  readonly held: Held;
  /** Lanes whose circuit is not closed. */
  readonly circuits: readonly { state: Circuit['state']; lanes: number }[];
  readonly redisMemory: readonly RedisMemory[];
  /** No job waits, is delayed or active, in either queue, and nothing is parked: every accepted webhook must have ended. */
  readonly atRest: boolean;
}

export interface QueueMonitor {
  sample(): Promise<QueueSample>;
  /** Jobs of the queue that wait to be taken, by shard. */
  waitingJobs(queue: QueueName): Promise<readonly number[]>;
  close(): Promise<void>;
}

// The rate forgets with this time constant: long enough to be steady, short enough to follow a scaled fleet.
const RATE_MEMORY_MS = 30_000;
// Jobs of these are in BullMQ's delayed set too, and come back to the queue by the lane or the lot.
const PARKED_REASONS = HELD_REASONS.filter((reason) => reason !== 'scheduled' && reason !== 'retry');
const CIRCUIT_STATES = ['open', 'paused'] as const;
// Bundles looked at to estimate how many webhooks a waiting job holds.
const BUNDLES_LOOKED_AT = 3;

export function createQueueMonitor(options: ShardOptions, now: () => number = Date.now): QueueMonitor {
  const names = [WEBHOOKS_QUEUE, RESULTS_QUEUE] as const;
  const shardQueues = names.map((name) => ({ name, queues: openShardQueues(name, options) }));
  const rate = createRate(now);
  const circuits = openCircuits(options);

  async function attemptsEver(): Promise<number> {
    const counts = await Promise.all(
      Array.from({ length: options.shards }, (_, shard) =>
        options.connection.get(attemptsCounterKey(shardPrefix(options.prefix, shard))),
      ),
    );
    return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
  }

  return {
    async sample() {
      const perQueue = await Promise.all(
        shardQueues.map(async ({ name, queues }) => {
          const shards = await Promise.all(queues.all.map(sampleQueue));
          const jobs = (state: QueueState) => shards.reduce((sum, { counts }) => sum + counts[state], 0);
          return {
            name,
            counts: QUEUE_STATES.map((state) => ({ queue: name as QueueName, state, jobs: jobs(state) })),
            oldestMs: Math.min(...shards.map(({ oldestMs }) => oldestMs)),
            webhooks: shards.reduce(
              (sum, { counts, webhooksPerJob }) => sum + counts.waiting * webhooksPerJob,
              0,
            ),
            busy: jobs('waiting') + jobs('active') + jobs('delayed') > 0,
          };
        }),
      );
      const nowMs = now();
      const [attempts, redisMemory, [notClosed, held]] = await Promise.all([
        attemptsEver(),
        readRedisMemory(options.connection),
        circuits.all().then(async (all) => [all, await readHeld(options, all, nowMs)] as const),
      ]);
      const parked = sumOfCounts(PARKED_REASONS.map((reason) => held.get(reason) ?? sumOfCounts([])));
      // More workers would send these sooner; the others wait for something else.
      const busyWebhooks = held.get('busy')?.webhooks ?? 0;
      const oldestSeconds = perQueue.map(({ name, oldestMs }) => ({
        queue: name as QueueName,
        seconds: ageOf(Number.isFinite(oldestMs) ? oldestMs : undefined, nowMs),
      }));
      const forWorkers = (perQueue[0]?.webhooks ?? 0) + busyWebhooks;
      const attemptsPerSecond = rate.update(attempts, forWorkers > 0);
      return {
        queues: perQueue.flatMap(({ counts }) => counts),
        oldestSeconds,
        attemptsPerSecond,
        backlogSeconds:
          forWorkers === 0
            ? 0
            : attemptsPerSecond > 0.01
              ? forWorkers / attemptsPerSecond
              : (oldestSeconds[0]?.seconds ?? 0),
        parkedWebhooks: parked.webhooks,
        parkedOldestSeconds: ageOf(parked.sinceMs, nowMs),
        held,
        circuits: CIRCUIT_STATES.map((state) => ({
          state,
          lanes: [...notClosed.values()].filter((circuit) => circuit.state === state).length,
        })),
        redisMemory,
        atRest: parked.webhooks === 0 && perQueue.every(({ busy }) => !busy),
      };
    },
    waitingJobs(queue) {
      const all = shardQueues.find(({ name }) => name === queue)?.queues.all ?? [];
      return Promise.all(all.map((one) => one.getJobCountByTypes('waiting', 'prioritized')));
    },
    async close() {
      await Promise.all(shardQueues.map(({ queues }) => queues.close()));
    },
  };
}

async function sampleQueue(queue: Queue) {
  const [counts, oldest] = await Promise.all([
    queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed'),
    // Of prioritized jobs, those to be taken last wait longest where many come.
    Promise.all([
      queue.getJobs(['waiting'], 0, BUNDLES_LOOKED_AT - 1, true),
      queue.getJobs(['prioritized'], 0, BUNDLES_LOOKED_AT - 1, true),
      queue.getJobs(['prioritized'], 0, BUNDLES_LOOKED_AT - 1, false),
    ]),
  ]);
  const jobs = oldest.flat().filter((job): job is Job => job !== undefined && job !== null);
  const webhooks = jobs.map(({ data }) => (data as Partial<Bundle>).webhooks?.length ?? 1);
  return {
    counts: {
      waiting: (counts['waiting'] ?? 0) + (counts['prioritized'] ?? 0),
      active: counts['active'] ?? 0,
      delayed: counts['delayed'] ?? 0,
      failed: counts['failed'] ?? 0,
    },
    // A retry waits since it became due, not since it was written.
    oldestMs: Math.min(...jobs.map(({ timestamp, opts }) => timestamp + (opts.delay ?? 0))),
    webhooksPerJob:
      webhooks.length === 0 ? 1 : webhooks.reduce((sum, count) => sum + count, 0) / webhooks.length,
  };
}

/**
 * An exponentially weighted rate of a growing total, over the time that there was work: a quiet hour says nothing of how
 * fast the fleet is, and after it the first reading counts whole.
 */
function createRate(now: () => number) {
  let last: { total: number; atMs: number; hasWork: boolean } | undefined;
  let sum = 0;
  let weight = 0;
  return {
    update(total: number, hasWork: boolean): number {
      const atMs = now();
      if (last !== undefined && atMs > last.atMs) {
        const elapsedMs = atMs - last.atMs;
        const grown = Math.max(0, total - last.total);
        const hadWork = last.hasWork || grown > 0;
        const kept = hadWork ? Math.exp(-elapsedMs / RATE_MEMORY_MS) : 0;
        sum = sum * kept + (grown / elapsedMs) * 1000 * (1 - kept);
        weight = hadWork ? weight * kept + (1 - kept) : 0;
      }
      if (last === undefined || atMs > last.atMs) last = { total, atMs, hasWork };
      return weight === 0 ? 0 : sum / weight;
    },
  };
}

/**
 * Two versions at once under load, as in a rolling upgrade and in one that is taken back:
 *
 *   all old ──▶ aggregators, workers, producers, one after the other ──▶ all new
 *   all new ──▶ producers, workers, results counted, aggregators     ──▶ all old
 *
 * Each process is told to stop, must exit 0, and one of the other version takes its place. Who reads goes before who writes,
 * and back the other way round, so that nobody has to read what it doesn't know. Nobody is killed: nothing may be repeated.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { QueueMonitor } from '@hookfleet/queue';
import { type ChaosFleet, startChaosFleet } from '../chaos/chaos-fleet.ts';
import { ROOT, type Role } from '../chaos/fleet-members.ts';
import { type LoadReport, loadAndReckon } from '../chaos/load-and-reckon.ts';
import { startDestination } from '../chaos/receive-load.ts';
import { untilRedisAnswers } from '../chaos/until-answered.ts';
import { withQueueMonitor } from '../chaos/with-queue-monitor.ts';
import { checkOutVersion, type EarlierVersion } from './check-out-version.ts';

export interface RollingOptions {
  /** The earlier version: a commit, or a tag or branch. */
  readonly from: string;
  readonly webhooksPerSecond: number;
  /** Between two processes that are replaced: both versions are at work. */
  readonly holdMs: number;
  /** Up and back, so often. */
  readonly rounds: number;
  readonly onProgress: (text: string) => void;
}

export interface RollingReport extends LoadReport {
  /** The earlier version's commit. */
  readonly from: string;
}

export const ROLLING_SHORT = { webhooksPerSecond: 100, holdMs: 250, rounds: 1 } as const;
export const ROLLING_LONG = { webhooksPerSecond: 300, holdMs: 3_000, rounds: 3 } as const;

/**
 * The last commit before scheduling and failover were redesigned: what fleets ran then. Later ones need no change here as long
 * as this one can be upgraded from; a release takes its place.
 */
export const EARLIER_VERSION = '19a457724bb212e00e323c973cada22382d040d8';

const COUNTS = { producer: 2, worker: 2, aggregator: 2 } as const;
const UP = ['aggregator', 'worker', 'producer'] as const satisfies readonly Role[];
const BACK_WRITERS = ['producer', 'worker'] as const satisfies readonly Role[];
// More than any machine takes until all is replaced: the load ends when it is.
const WEBHOOKS_MAX = 500_000;
const COUNTED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** Throws VersionMissingError where the clone doesn't hold the earlier version. */
export async function runRolling(options: RollingOptions): Promise<RollingReport> {
  const earlier = await checkOutVersion(options.from);
  options.onProgress(`${earlier.commit} is installed`);
  try {
    const destination = await startDestination();
    try {
      const fleet = await startChaosFleet(destination.network.port, { counts: COUNTS, root: earlier.root });
      try {
        const loaded = new AbortController();
        const report = await loadAndReckon(fleet, destination, {
          webhooks: WEBHOOKS_MAX,
          webhooksPerSecond: options.webhooksPerSecond,
          ended: loaded.signal,
          onProgress: options.onProgress,
          // Also where it fails: the load must not go on.
          meanwhile: () => upAndBack(fleet, earlier, options).finally(() => loaded.abort()),
        });
        return { from: earlier.commit, ...report };
      } finally {
        await fleet.stop();
      }
    } finally {
      await destination.close();
    }
  } finally {
    await earlier.remove();
  }
}

async function upAndBack(
  fleet: ChaosFleet,
  earlier: EarlierVersion,
  { rounds, holdMs, onProgress }: RollingOptions,
): Promise<void> {
  const replace = async (roles: readonly Role[], root: string, direction: string) => {
    for (const role of roles)
      for (const member of fleet.members[role]) {
        await sleep(holdMs);
        await member.replace('SIGTERM', root);
        onProgress(`${role} ${direction}`);
      }
  };
  for (let round = 1; round <= rounds; round += 1) {
    await replace(UP, ROOT, 'upgraded');
    await replace(BACK_WRITERS, earlier.root, 'taken back');
    await withQueueMonitor(fleet.redis, untilResultsCounted);
    await replace(['aggregator'], earlier.root, 'taken back');
  }
  await sleep(holdMs);
}

/** Until none waits that the later version wrote: those are told of by no one, but when none waits at all, they are gone. */
async function untilResultsCounted(monitor: QueueMonitor): Promise<void> {
  const deadline = performance.now() + COUNTED_WITHIN_MS;
  for (;;) {
    const { queues } = await untilRedisAnswers(() => monitor.sample());
    const left = queues.filter(({ queue, state }) => queue === 'results' && state !== 'failed');
    if (left.every(({ jobs }) => jobs === 0)) return;
    if (performance.now() > deadline) throw new Error(`results wait: ${JSON.stringify(left)}`);
    await sleep(LOOK_EVERY_MS);
  }
}

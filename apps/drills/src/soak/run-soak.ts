/**
 * The soak: a fleet at full load and at rest, and whether anything grows that should not.
 *
 *   warm up ──▶ rest ──▶ full load ──▶ drain ──▶ rest ──▶ census of Redis
 *
 * All the while each process is looked at from outside (watch-process.ts). Growth is looked for under load, at rest, and
 * between the rest before the load and the one after it; what Redis holds in the end must be what its families' bounds
 * allow (key-families.ts). Caches fill and compilers learn while the fleet warms up: that is not looked at.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startDrillChild } from '../drill-child.ts';
import { type DrillFleet, startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';
import { type Leak, processLeaks, redisLeaks } from './find-leaks.ts';
import type { Received } from './receiver-process.ts';
import { openSoakLoad, type SoakLoad } from './send-load.ts';
import { type Census, takeCensus } from './take-census.ts';
import { type Phase, type SoakSample, startWatch } from './watch-fleet.ts';
import { WATCHABLE } from './watch-process.ts';

export interface SoakOptions {
  readonly warmUpMs: number;
  readonly loadMs: number;
  /** The rest before the load. */
  readonly restMs: number;
  /** The rest after the load, which growth at rest is looked for in. */
  readonly restAfterMs: number;
  readonly sampleEveryMs: number;
  readonly campaignMs: number;
  /** Webhooks a second at most; undefined: full load. */
  readonly perSecond?: number;
  /** For the last of the workers alone: how a test plants a leak. */
  readonly lastWorkerOptions?: string;
  readonly onProgress: (what: string) => void;
}

export const SOAK_LONG = {
  warmUpMs: 60_000,
  loadMs: 20 * 60_000,
  restMs: 150_000,
  restAfterMs: 300_000,
  sampleEveryMs: 10_000,
  campaignMs: 5_000,
};

/** Two minutes, for the release check. */
export const SOAK_SHORT = {
  warmUpMs: 15_000,
  loadMs: 50_000,
  restMs: 12_000,
  // Redis forgets a lane 14 s after it was last used, by the settings below.
  restAfterMs: 24_000,
  sampleEveryMs: 1_500,
  campaignMs: 1_000,
};

export interface SoakReport {
  readonly seconds: number;
  readonly accepted: number;
  readonly delivered: number;
  readonly failed: number;
  /** Of the load alone. */
  readonly perSecond: number;
  readonly campaigns: number;
  readonly leaks: readonly Leak[];
  readonly samples: readonly SoakSample[];
  readonly census: Census;
}

// A lane is looked at for the last time after twice the sum of these (start-delivering.ts): within the rest.
const SOON = {
  HOOKFLEET_LOCK_DURATION: '5s',
  HOOKFLEET_ATTEMPT_TIMEOUT: '2s',
  HOOKFLEET_STALLED_INTERVAL: '1s',
};
const DRAIN_MS_MAX = 120_000;

export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { warmUpMs, loadMs, restMs, restAfterMs, sampleEveryMs, onProgress } = options;
  const startedAtMs = performance.now();
  const receiver = await startDrillChild<Received>(new URL('./receiver-process.ts', import.meta.url), {});
  const fleet = await startDrillFleet({ workers: 1, environment: { ...SOON, NODE_OPTIONS: WATCHABLE } });
  const meter = await openRedisMeter(fleet.redisUrl);
  const redis = new Redis(fleet.redisUrl);
  try {
    await fleet.startWorkers(1, {
      NODE_OPTIONS: `${WATCHABLE} ${options.lastWorkerOptions ?? ''}`,
    });
    const load = await openSoakLoad({ ...options, perSecond: options.perSecond, fleet, meter, receiver });
    const watch = await startWatch(fleet, meter, sampleEveryMs);
    const during = async (phase: Phase, work: Promise<unknown>) => {
      onProgress(phase);
      watch.phase(phase);
      // Whichever ends: a watch that fails must not be waited past.
      await Promise.race([work, watch.failed]);
    };
    await during('warm up', load.sendUntil(performance.now() + warmUpMs));
    await during('drain', untilDrained(fleet, load));
    await during('rest before', sleep(restMs));
    const [before, loadedAtMs] = [totalOf(load), performance.now()];
    await during('load', load.sendUntil(loadedAtMs + loadMs));
    const perSecond = ((totalOf(load) - before) / (performance.now() - loadedAtMs)) * 1_000;
    await during('drain', untilDrained(fleet, load));
    await during('rest after', sleep(restAfterMs));
    const samples = await watch.stop();
    onProgress('census');
    const census = await takeCensus(redis, load.accepted.size);
    const messages = await messagesOf(fleet, load);
    return {
      seconds: Math.round((performance.now() - startedAtMs) / 1_000),
      accepted: totalOf(load),
      delivered: messages.delivered,
      failed: messages.failed,
      perSecond: Math.round(perSecond),
      campaigns: load.accepted.size,
      leaks: [...processLeaks(samples), ...redisLeaks(census)],
      samples,
      census,
    };
  } finally {
    redis.disconnect();
    meter.close();
    await fleet.stop();
    await receiver.stop();
  }
}

function totalOf({ accepted }: SoakLoad): number {
  return [...accepted.values()].reduce((sum, count) => sum + count, 0);
}

async function messagesOf(fleet: DrillFleet, { accepted }: SoakLoad) {
  const sum = { accepted: 0, delivered: 0, failed: 0, pending: 0 };
  for (const campaignId of accepted.keys()) {
    const { messages } = await fleet.totalsOf(campaignId);
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += messages[name];
  }
  return sum;
}

/** Until all that was accepted has ended, by the counters. Throws where it does not: then something is lost. */
async function untilDrained(fleet: DrillFleet, load: SoakLoad): Promise<void> {
  const deadline = performance.now() + DRAIN_MS_MAX;
  for (;;) {
    const { accepted, pending } = await messagesOf(fleet, load);
    if (accepted === totalOf(load) && pending === 0) return;
    if (performance.now() > deadline)
      throw new Error(`${pending} webhooks are pending, and ${accepted} of ${totalOf(load)} are counted`);
    await sleep(500);
  }
}

/** Carries a plan of failovers out, one after the other: each ends when the master of before follows the new one. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FailingRedis } from '@hookfleet/testkit';
import type { Failover } from './failover-plan.ts';

// Some times Sentinel's failover-timeout, so that none is under way when another is asked for.
const EXCHANGE_WITHIN_MS = 10_000;

type Master = Awaited<ReturnType<FailingRedis['master']>>;

export async function injectFailovers(
  redis: FailingRedis,
  plan: readonly Failover[],
  onFailover: (text: string) => void,
): Promise<void> {
  for (const { kind, waitMs, lagMs } of plan) {
    await sleep(waitMs);
    const master = await redis.master();
    if (lagMs > 0) {
      await redis.holdReplication(master);
      await sleep(lagMs);
    }
    onFailover(`master ${kind}${lagMs > 0 ? `, its replica ${lagMs} ms behind` : ''}`);
    const mend = await FAIL[kind](redis, master);
    await redis.untilMasterIsNot(master);
    await mend();
    await redis.rejoin(master);
    await redis.untilReplicated();
  }
}

/** Makes the master fail. Returns what brings it back. */
const FAIL: Readonly<
  Record<Failover['kind'], (redis: FailingRedis, master: Master) => Promise<() => Promise<void>>>
> = {
  async killed(_redis, master) {
    await master.kill();
    return master.restart;
  },
  async frozen(_redis, master) {
    master.suspend();
    return async () => master.resume();
  },
  async isolated(redis, master) {
    await redis.isolate(master);
    return async () => undefined;
  },
  async exchanged(redis, master) {
    await redis.failOver();
    // Sentinel gives up a failover that takes longer than its failover-timeout, and repeats none that an operator asked for.
    await redis.untilMasterIsNot(master, EXCHANGE_WITHIN_MS).catch(() => redis.failOver());
    return async () => undefined;
  },
};

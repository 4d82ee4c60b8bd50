/** What Redis does for the fleet between two moments, by its own account. */
import { Redis } from 'ioredis';

export interface RedisCost {
  /** Scripts that were run, BullMQ's and ours: nearly all that clients ask for. */
  readonly scripts: number;
  /** Commands that Redis carried out, those within scripts too. */
  readonly calls: number;
  /** Of Redis' processor time, user and system. */
  readonly cpuMicros: number;
}

export interface RedisMeter {
  /** Since the call before, or since the meter was opened. */
  lap(): Promise<RedisCost>;
  /** Jobs that wait for a worker. */
  waitingJobs(): Promise<number>;
  /** Of the campaign, as its counters have it. */
  delivered(campaignId: string): Promise<number>;
  memoryBytes(): Promise<number>;
  /** `lastingKeys`: those among them that have no lifetime. */
  countKeys(): Promise<{ readonly keys: number; readonly lastingKeys: number }>;
  /** Of all that was accepted, what stands in the campaign's counters. */
  accepted(campaignId: string): Promise<number>;
  /** Redis rewrites its append-only file, in a process of its own. */
  isRewriting(): Promise<boolean>;
  /** Empties Redis. */
  flush(): Promise<void>;
  close(): void;
}

export async function openRedisMeter(url: string): Promise<RedisMeter> {
  const redis = new Redis(url);
  const read = async (): Promise<RedisCost> => {
    const [cpu, stats] = [await redis.info('cpu'), await redis.info('commandstats')];
    const seconds = (name: string) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(cpu)?.[1]);
    const calls = new Map(
      [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)].map(([, name, count]) => [name, Number(count)]),
    );
    return {
      scripts: (calls.get('evalsha') ?? 0) + (calls.get('eval') ?? 0),
      calls: [...calls.values()].reduce((sum, count) => sum + count, 0),
      cpuMicros: (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6,
    };
  };
  let before = await read();
  return {
    async lap() {
      const now = await read();
      const since = {
        scripts: now.scripts - before.scripts,
        calls: now.calls - before.calls,
        cpuMicros: now.cpuMicros - before.cpuMicros,
      };
      before = now;
      return since;
    },
    async waitingJobs() {
      const queue = '{hookfleet:0}:webhooks';
      return (await redis.llen(`${queue}:wait`)) + (await redis.zcard(`${queue}:prioritized`));
    },
    async delivered(campaignId) {
      return Number(await redis.hget(`{hookfleet:c:${campaignId}}:totals`, 'e:webhook.delivered'));
    },
    async accepted(campaignId) {
      return Number(await redis.hget(`{hookfleet:c:${campaignId}}:totals`, 'm:accepted'));
    },
    async isRewriting() {
      return /^aof_rewrite_(in_progress|scheduled):1/m.test(await redis.info('persistence'));
    },
    async memoryBytes() {
      return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);
    },
    async countKeys() {
      const [, keys = 0, expiring = 0] = (
        /^db0:keys=(\d+),expires=(\d+)/m.exec(await redis.info('keyspace')) ?? []
      ).map(Number);
      return { keys, lastingKeys: keys - expiring };
    },
    async flush() {
      await redis.flushall();
    },
    close: () => redis.disconnect(),
  };
}

/**
 * What shards cost: one fleet over a Redis Cluster of three masters, with more and more of them. Told is what Redis does
 * for each delivered webhook, on all masters together, and how evenly the masters share it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestCluster } from '@hookfleet/testkit';
import { Cluster } from 'ioredis';
import { startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';
import { openProducerCalls, type ProducerCalls } from './producer-calls.ts';
import { SIGNING_SECRET } from './samples.ts';
import { startReceiver } from './start-receiver.ts';

export interface ClusterFigures {
  /** For each webhook, on all masters together, from the call that enqueues it to its counters. */
  readonly redisMicros: number;
  readonly redisCalls: number;
  /** Of the waiting webhooks' memory, each master's part: the largest, where even is 1. */
  readonly busiest: number;
}

export interface ClusterLoad {
  readonly webhooks: number;
  /** Of each shard: with more shards the load grows, as that of a fleet does which needs them. Absent: all waits. */
  readonly perSecondAndShard?: number;
}

const TIMEOUT_MS = 120_000;
// Calls of a paced load come so often, and are as large as it takes.
const CALL_EVERY_MS = 200;

export async function measureCluster(
  shards: number,
  { webhooks, perSecondAndShard }: ClusterLoad,
): Promise<ClusterFigures> {
  const { receiver, url } = await startReceiver();
  const fleet = await startDrillFleet({
    workers: 0,
    redis: startTestCluster(),
    environment: { HOOKFLEET_SHARDS: String(shards), HOOKFLEET_HTTP_CLIENT: 'undici' },
  });
  const addresses = fleet.redisUrl.split(',');
  const meters = await Promise.all(addresses.map((address) => openRedisMeter(address)));
  const cluster = new Cluster(addresses);
  const calls = openProducerCalls(fleet.producerUrl);
  const all = <T>(ask: (meter: (typeof meters)[0]) => Promise<T>) => Promise.all(meters.map(ask));
  try {
    await fleet.call('PUT', '/v1/channels/bench', { url, signingSecrets: [SIGNING_SECRET] });
    const before = await all((meter) => meter.memoryBytes());
    if (perSecondAndShard !== undefined) await fleet.startWorkers(1);
    await all((meter) => meter.lap());
    if (perSecondAndShard === undefined) await calls.bulk(webhooks);
    else await sendPaced(calls, webhooks, perSecondAndShard * shards);
    const grown = (await all((meter) => meter.memoryBytes())).map((bytes, i) => bytes - (before[i] ?? 0));
    if (perSecondAndShard === undefined) await fleet.startWorkers(1);
    const deadline = performance.now() + TIMEOUT_MS;
    const counted = async () =>
      Number(await cluster.hget('{hookfleet:c:bench}:totals', 'e:webhook.delivered'));
    while ((await counted()) < webhooks) {
      if (performance.now() > deadline) throw new Error('not all that was enqueued was counted');
      await sleep(50);
    }
    const costs = await all((meter) => meter.lap());
    const sum = (values: readonly number[]) => values.reduce((one, other) => one + other, 0);
    return {
      redisMicros: sum(costs.map(({ cpuMicros }) => cpuMicros)) / webhooks,
      redisCalls: sum(costs.map((cost) => cost.calls)) / webhooks,
      busiest: (Math.max(...grown) * grown.length) / sum(grown),
    };
  } finally {
    await calls.close();
    cluster.disconnect();
    for (const meter of meters) meter.close();
    await fleet.stop();
    await receiver.stop();
  }
}

async function sendPaced(calls: ProducerCalls, webhooks: number, perSecond: number): Promise<void> {
  const perCall = Math.round((perSecond * CALL_EVERY_MS) / 1_000);
  const startedAt = performance.now();
  for (let sent = 0; sent < webhooks; sent += perCall) {
    await sleep(Math.max(0, startedAt + (sent / perSecond) * 1_000 - performance.now()));
    await calls.bulk(Math.min(perCall, webhooks - sent));
  }
}

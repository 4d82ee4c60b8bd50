/**
 * How fast webhooks go out: a fleet with everything it does (signing, recording, counting), from the moment that workers
 * start until all that waits is delivered, and what that costs Redis and the workers.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';
import { type BenchChild, startBenchChild } from './child.ts';
import type { Received } from './receiver-process.ts';
import { SIGNING_SECRET, webhooksTo } from './samples.ts';

export interface DeliveryOptions {
  readonly workers: number;
  readonly client: 'got' | 'undici';
  readonly webhooks: number;
  /** Waiting behind those that are measured. */
  readonly backlog?: number;
  /** Webhooks a bundle; 1: as single calls make them. */
  readonly bundleSize: number;
}

export interface DeliveryFigures {
  /** Of the middle nine tenths. */
  readonly perSecond: number;
  /** For each webhook, from the call that enqueues it to its counters. */
  readonly redisMicros: number;
  readonly redisCalls: number;
  readonly workerMicros: number;
}

const BULK = 5_000;
const POLL_MS = 10;

export async function measureDelivery(options: DeliveryOptions): Promise<DeliveryFigures> {
  const { workers, client, webhooks, backlog = 0, bundleSize } = options;
  const receiver = await startBenchChild<Received>('receiver-process.ts', {});
  const { url } = await receiver.ask({});
  const fleet = await startDrillFleet({
    workers: 0,
    environment: { HOOKFLEET_BUNDLE_SIZE: String(bundleSize), HOOKFLEET_HTTP_CLIENT: client },
  });
  const meter = await openRedisMeter(fleet.redisUrl);
  try {
    await fleet.call('PUT', '/v1/channels/bench', { url, signingSecrets: [SIGNING_SECRET] });
    await meter.lap();
    for (let left = webhooks + backlog; left > 0; left -= BULK)
      await fleet.call('POST', '/v1/webhooks/bulk', { webhooks: webhooksTo('bench', Math.min(left, BULK)) });
    const enqueued = await meter.lap();
    await fleet.startWorkers(workers);
    const perSecond = await rateOf(receiver, webhooks);
    // With a backlog the end is not waited for: costs are of what was delivered by then.
    const delivered = backlog > 0 ? (await receiver.ask({})).count : await untilCounted(meter, webhooks);
    const done = await meter.lap();
    const workerSeconds = await fleet.cpuSeconds('worker');
    return {
      perSecond,
      redisMicros: enqueued.cpuMicros / (webhooks + backlog) + done.cpuMicros / delivered,
      redisCalls: enqueued.calls / (webhooks + backlog) + done.calls / delivered,
      workerMicros: (workerSeconds * 1e6) / delivered,
    };
  } finally {
    meter.close();
    await fleet.stop();
    await receiver.stop();
  }
}

/** From a twentieth to nineteen twentieths of the webhooks: what starts up and runs dry is left out. */
async function rateOf(receiver: BenchChild<Received>, webhooks: number): Promise<number> {
  let from: { count: number; atMs: number } | undefined;
  for (;;) {
    const { count } = await receiver.ask({});
    const atMs = performance.now();
    if (count >= webhooks * 0.05) from ??= { count, atMs };
    if (from !== undefined && count >= webhooks * 0.95)
      return ((count - from.count) / (atMs - from.atMs)) * 1_000;
    await sleep(POLL_MS);
  }
}

async function untilCounted(
  meter: Awaited<ReturnType<typeof openRedisMeter>>,
  webhooks: number,
): Promise<number> {
  const deadline = performance.now() + 60_000;
  while ((await meter.delivered('bench')) < webhooks) {
    if (performance.now() > deadline) throw new Error('not all that was delivered was counted');
    await sleep(50);
  }
  return webhooks;
}

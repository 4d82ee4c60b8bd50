/**
 * From the call that enqueues a webhook to its arrival, at a steady rate: half of what a worker delivers that does
 * nothing else. The time of the call is part of it, so it is more than that from accepted to received. And the same of a
 * bare job with a bare request, at the same rate, added by one process and sent by another.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestRedis } from '@hookfleet/testkit';
import { Agent, request } from 'undici';
import { startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';
import type { BareClient } from './bare-client.ts';
import type { BareQueueSettings, BareQueueTask } from './bare-queue-process.ts';
import { type DrillChild, startDrillChild } from '../drill-child.ts';
import type { Received } from './receiver-process.ts';
import { BODY, PAYLOAD, SIGNING_SECRET } from './samples.ts';
import { startReceiver } from './start-receiver.ts';

export interface LatencyFigures {
  readonly p50: number;
  readonly p99: number;
}

export interface LatencyOptions {
  readonly client: BareClient;
  readonly perSecond: number;
  readonly seconds: number;
}

const WARM_UP_SECONDS = 2;
const TIMEOUT_MS = 60_000;

export async function measureLatency({
  client,
  perSecond,
  seconds,
}: LatencyOptions): Promise<LatencyFigures & { readonly redisMicros: number }> {
  const { receiver, url } = await startReceiver();
  const fleet = await startDrillFleet({ workers: 1, environment: { HOOKFLEET_HTTP_CLIENT: client } });
  const meter = await openRedisMeter(fleet.redisUrl);
  const dispatcher = new Agent({ connections: 50 });
  const send = async () => {
    const sentAt = performance.timeOrigin + performance.now();
    const response = await request(`${fleet.producerUrl}/v1/webhooks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        campaignId: 'bench',
        messageId: 'welcome',
        channelConfigId: 'bench',
        payload: { ...PAYLOAD, sentAt },
      }),
      dispatcher,
    });
    await response.body.dump();
    if (response.statusCode !== 202) throw new Error(`a call was answered with ${response.statusCode}`);
  };
  try {
    await fleet.call('PUT', '/v1/channels/bench', { url, signingSecrets: [SIGNING_SECRET] });
    await paced(perSecond, WARM_UP_SECONDS, send);
    await untilReceived(receiver, perSecond * WARM_UP_SECONDS);
    await meter.lap();
    await paced(perSecond, seconds, send);
    const latenciesMs = await untilReceived(receiver, perSecond * (WARM_UP_SECONDS + seconds));
    const { cpuMicros } = await meter.lap();
    return { ...percentiles(latenciesMs), redisMicros: cpuMicros / (perSecond * seconds) };
  } finally {
    await dispatcher.close();
    meter.close();
    await fleet.stop();
    await receiver.stop();
  }
}

export async function measureBareLatency({
  client,
  perSecond,
  seconds,
}: LatencyOptions): Promise<LatencyFigures> {
  const { receiver, url } = await startReceiver();
  const redis = await startTestRedis();
  const { hostname: host, port } = new URL(redis.url);
  const settings: BareQueueSettings = { redis: { host, port: Number(port) }, concurrency: 200, url, client };
  const adder = await startDrillChild<unknown>(new URL('./bare-queue-process.ts', import.meta.url), settings);
  const worker = await startDrillChild<unknown>(
    new URL('./bare-queue-process.ts', import.meta.url),
    settings,
  );
  const run = async (forSeconds: number) => {
    const trickle: BareQueueTask = { do: 'trickle', perSecond, seconds: forSeconds, data: BODY };
    const work: BareQueueTask = { do: 'work', jobs: perSecond * forSeconds };
    await Promise.all([worker.ask(work), adder.ask(trickle)]);
    return (await receiver.ask({})).latenciesMs;
  };
  try {
    await run(WARM_UP_SECONDS);
    return percentiles(await run(seconds));
  } finally {
    await adder.stop();
    await worker.stop();
    await redis.stop();
    await receiver.stop();
  }
}

async function paced(perSecond: number, seconds: number, send: () => Promise<void>): Promise<void> {
  const sending: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let i = 0; i < perSecond * seconds; i += 1) {
    const waitMs = startedAt + (i * 1_000) / perSecond - performance.now();
    if (waitMs > 1) await sleep(waitMs);
    sending.push(send());
  }
  await Promise.all(sending);
}

async function untilReceived(receiver: DrillChild<Received>, webhooks: number): Promise<number[]> {
  const all: number[] = [];
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const { count, latenciesMs } = await receiver.ask({});
    all.push(...latenciesMs);
    if (count >= webhooks) return all;
    if (performance.now() > deadline) throw new Error(`${count} of ${webhooks} were received`);
    await sleep(100);
  }
}

function percentiles(latenciesMs: readonly number[]): LatencyFigures {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** From the call that enqueues a webhook to its arrival, at a steady rate; and the same of a bare job with a bare request. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { startTestRedis } from '@hookfleet/testkit';
import { startDrillFleet } from '../drill-fleet.ts';
import type { BareQueueTask } from './bare-queue-process.ts';
import { startBenchChild } from './child.ts';
import type { Received } from './receiver-process.ts';
import { BODY, PAYLOAD, SIGNING_SECRET } from './samples.ts';

export interface LatencyFigures {
  readonly p50: number;
  readonly p99: number;
}

export interface LatencyOptions {
  readonly perSecond: number;
  readonly seconds: number;
}

export async function measureLatency({ perSecond, seconds }: LatencyOptions): Promise<LatencyFigures> {
  const receiver = await startBenchChild<Received>('receiver-process.ts', {});
  const { url } = await receiver.ask({});
  const fleet = await startDrillFleet({ workers: 1 });
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
  };
  try {
    await fleet.call('PUT', '/v1/channels/bench', { url, signingSecrets: [SIGNING_SECRET] });
    await paced(perSecond, 1, send);
    await untilReceived(receiver, perSecond);
    await paced(perSecond, seconds, send);
    return percentiles(await untilReceived(receiver, perSecond * (seconds + 1)));
  } finally {
    await dispatcher.close();
    await fleet.stop();
    await receiver.stop();
  }
}

export async function measureBareLatency({ perSecond, seconds }: LatencyOptions): Promise<LatencyFigures> {
  const receiver = await startBenchChild<Received>('receiver-process.ts', {});
  const { url } = await receiver.ask({});
  const redis = await startTestRedis();
  const { hostname: host, port } = new URL(redis.url);
  const child = await startBenchChild<unknown>('bare-queue-process.ts', {
    redis: { host, port: Number(port) },
    concurrency: 200,
    url,
  });
  const trickle = (forSeconds: number): BareQueueTask => ({
    do: 'trickle',
    perSecond,
    seconds: forSeconds,
    data: BODY,
  });
  try {
    await child.ask(trickle(1));
    await receiver.ask({});
    await child.ask(trickle(seconds));
    return percentiles((await receiver.ask({})).latenciesMs);
  } finally {
    await child.stop();
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

async function untilReceived(
  receiver: Awaited<ReturnType<typeof startBenchChild<Received>>>,
  webhooks: number,
): Promise<number[]> {
  const all: number[] = [];
  for (;;) {
    const { count, latenciesMs } = await receiver.ask({});
    all.push(...latenciesMs);
    if (count >= webhooks) return all;
    await sleep(100);
  }
}

function percentiles(latenciesMs: readonly number[]): LatencyFigures {
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

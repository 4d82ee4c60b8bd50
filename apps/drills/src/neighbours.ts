/**
 * The fourth promise, in figures: twenty destinations get a steady stream of webhooks, first alone, then beside one
 * that hangs to its time-out with thousands waiting for it. What counts is the time from the call that enqueues a
 * webhook to its arrival at its destination.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Receiver, startReceiver } from '@hookfleet/testkit';
import { startDrillFleet } from './drill-fleet.ts';

export interface NeighboursOptions {
  readonly destinations: number;
  readonly webhooksPerSecond: number;
  readonly seconds: number;
  /** Waiting for the destination that hangs. */
  readonly hanging: number;
  /** Each pair is measured so often, one after the other; medians are told. */
  readonly rounds: number;
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface NeighboursReport {
  readonly alone: Latency;
  readonly besideHanging: Latency;
  /** p99 beside the one that hangs to p99 without it. */
  readonly ratio: number;
  readonly webhooks: number;
}

const BATCHES_PER_SECOND = 10;

export async function measureNeighbours(options: NeighboursOptions): Promise<NeighboursReport> {
  const alone: Latency[] = [];
  const beside: Latency[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    alone.push(await measure(options, 0));
    beside.push(await measure(options, options.hanging));
  }
  const report = { alone: medianOf(alone), besideHanging: medianOf(beside) };
  return {
    ...report,
    ratio: Number((report.besideHanging.p99 / report.alone.p99).toFixed(2)),
    webhooks: options.webhooksPerSecond * options.seconds,
  };
}

async function measure(options: NeighboursOptions, hanging: number): Promise<Latency> {
  const { destinations, webhooksPerSecond, seconds } = options;
  const arrivedAt = new Map<string, number>();
  const receivers = await Promise.all(
    Array.from({ length: destinations }, () =>
      startReceiver(({ webhookId = '', nth }) => {
        if (nth === 1) arrivedAt.set(webhookId, performance.now());
        return { status: 200 };
      }),
    ),
  );
  const hangs = await startReceiver(() => 'hang');
  const fleet = await startDrillFleet({ workers: 2 });
  try {
    for (const [i, { url }] of [...receivers, hangs].entries())
      await fleet.call('PUT', `/v1/channels/${i}`, { url });
    await warmUp(fleet, receivers);
    for (let left = hanging; left > 0; left -= 5_000)
      await fleet.call('POST', '/v1/webhooks/bulk', bulkTo([destinations], Math.min(left, 5_000)));
    if (hanging > 0) await hangs.received(1);

    const sent: { id: string; atMs: number }[] = [];
    const perBatch = webhooksPerSecond / BATCHES_PER_SECOND;
    const startedAt = performance.now();
    for (let batch = 0; batch < seconds * BATCHES_PER_SECOND; batch += 1) {
      await sleep(Math.max(0, startedAt + (batch * 1_000) / BATCHES_PER_SECOND - performance.now()));
      const channels = Array.from({ length: destinations }, (_, i) => i);
      const atMs = performance.now();
      const { ids } = (await fleet.call('POST', '/v1/webhooks/bulk', bulkTo(channels, perBatch))) as {
        ids: string[];
      };
      sent.push(...ids.map((id) => ({ id, atMs })));
    }
    const deadline = performance.now() + 60_000;
    while (sent.some(({ id }) => !arrivedAt.has(id))) {
      if (performance.now() > deadline)
        throw new Error('webhooks of the healthy destinations did not arrive');
      await sleep(20);
    }
    return latencyOf(sent.map(({ id, atMs }) => (arrivedAt.get(id) as number) - atMs));
  } finally {
    await fleet.stop();
    await Promise.all([...receivers, hangs].map((receiver) => receiver.close()));
  }
}

/** Processes compile, and connections open, before anything is measured. */
async function warmUp(
  fleet: Awaited<ReturnType<typeof startDrillFleet>>,
  receivers: readonly Receiver[],
): Promise<void> {
  const channels = receivers.map((_, i) => i);
  await fleet.call('POST', '/v1/webhooks/bulk', bulkTo(channels, receivers.length * 50));
  await Promise.all(receivers.map((receiver) => receiver.received(50)));
}

/** So many webhooks, spread evenly over the channels. */
function bulkTo(channels: readonly number[], count: number) {
  return {
    webhooks: Array.from({ length: count }, (_, i) => ({
      campaignId: 'neighbours',
      messageId: 'm',
      channelConfigId: channels[i % channels.length],
      payload: { number: i, text: 'x'.repeat(300) },
    })),
  };
}

function latencyOf(durationsMs: readonly number[]): Latency {
  const sorted = [...durationsMs].sort((a, b) => a - b);
  const at = (share: number) => Number((sorted[Math.ceil(share * sorted.length) - 1] as number).toFixed(1));
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function medianOf(all: readonly Latency[]): Latency {
  const median = (name: keyof Latency) =>
    all.map((one) => one[name]).sort((a, b) => a - b)[Math.floor((all.length - 1) / 2)] as number;
  return { p50: median('p50'), p99: median('p99'), max: median('max') };
}

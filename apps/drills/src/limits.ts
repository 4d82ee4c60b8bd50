/**
 * What a limit costs: a channel with a rate, and a few or very many webhooks waiting for it. Told are the rate that
 * arrived, how far it strayed from the one that was asked for, and what Redis did for each webhook that was delivered.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startReceiver } from '@hookfleet/testkit';
import { startDrillFleet } from './drill-fleet.ts';
import { openRedisMeter, type RedisMeter } from './redis-cost.ts';

export interface LimitsOptions {
  readonly perSecond: number;
  readonly seconds: number;
  /** Webhooks that wait behind those that are measured, in one round and the other. */
  readonly backlogs: readonly [few: number, many: number];
}

export interface LimitsRow {
  readonly name: string;
  readonly backlog: number;
  readonly perSecond: number;
  /** From the rate asked for, over the whole time: 0.01 is 1 %. Absent without a limit. */
  readonly strayed?: number;
  /** Of Redis, for each delivered webhook. */
  readonly scripts: number;
  readonly calls: number;
  readonly cpuMicros: number;
}

const CALL = 5_000;

export async function measureLimits({ perSecond, seconds, backlogs }: LimitsOptions): Promise<LimitsRow[]> {
  const limit = { rateLimit: { limit: perSecond, per: 'second' } };
  const wanted = perSecond * seconds;
  const [few, many] = backlogs.map((backlog) => backlog + wanted);
  return [
    await measure('without a limit', {}, few as number, seconds),
    await measure('limited, few wait', limit, few as number, seconds, perSecond),
    await measure('limited, many wait', limit, many as number, seconds, perSecond),
  ];
}

async function measure(
  name: string,
  limit: object,
  webhooks: number,
  seconds: number,
  perSecond?: number,
): Promise<LimitsRow> {
  const receiver = await startReceiver();
  const fleet = await startDrillFleet({ workers: 2 });
  const meter = await openRedisMeter(fleet.redisUrl);
  try {
    await fleet.call('PUT', '/v1/channels/measured', { url: receiver.url, ...limit });
    for (let left = webhooks; left > 0; left -= CALL)
      await fleet.call('POST', '/v1/webhooks/bulk', bulk(Math.min(left, CALL)));
    // What is limited is measured when all of it has come to its lane.
    if (perSecond !== undefined) await untilInLane(meter);
    return { name, backlog: webhooks, ...(await watch(receiver, meter, webhooks, seconds, perSecond)) };
  } finally {
    meter.close();
    await fleet.stop();
    await receiver.close();
  }
}

async function untilInLane(meter: RedisMeter): Promise<void> {
  const deadline = performance.now() + 120_000;
  do {
    if (performance.now() > deadline) throw new Error('the webhooks did not come to their lane');
    await sleep(500);
  } while ((await meter.waitingJobs()) > 10);
}

/** Begins when the lane has used up its burst; ends after the time, or with the last webhook. */
async function watch(
  receiver: Awaited<ReturnType<typeof startReceiver>>,
  meter: RedisMeter,
  webhooks: number,
  seconds: number,
  asked: number | undefined,
) {
  await sleep(asked === undefined ? 0 : 2_000);
  await meter.lap();
  const before = receiver.ledger.length;
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1_000;
  while (performance.now() < endsAt && receiver.ledger.length < webhooks) await sleep(20);
  const tookMs = performance.now() - startedAt;
  const delivered = receiver.ledger.length - before;
  const { scripts, calls, cpuMicros } = await meter.lap();
  const perSecond = (delivered / tookMs) * 1_000;
  const each = (total: number) => Number((total / delivered).toFixed(2));
  return {
    perSecond: Math.round(perSecond),
    ...(asked !== undefined && { strayed: Number((perSecond / asked - 1).toFixed(4)) }),
    scripts: each(scripts),
    calls: each(calls),
    cpuMicros: each(cpuMicros),
  };
}

function bulk(count: number) {
  return {
    webhooks: Array.from({ length: count }, (_, i) => ({
      campaignId: 'measured',
      messageId: 'm',
      channelConfigId: 'measured',
      payload: { number: i, text: 'x'.repeat(300) },
    })),
  };
}

/**
 * Whether what waits slows down what goes out, or fills the processes: the same fleet with a thousand webhooks waiting
 * and with a million. In both a caller keeps them waiting, enqueueing as many as were delivered, so that both do the same.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Application, type DrillFleet, startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter, type RedisMeter } from '../redis-cost.ts';
import type { DrillChild } from '../drill-child.ts';
import { openProducerCalls, type ProducerCalls } from './producer-calls.ts';
import type { Received } from './receiver-process.ts';
import { SIGNING_SECRET } from './samples.ts';
import { startReceiver } from './start-receiver.ts';

export interface BacklogFigures {
  readonly perSecond: { readonly few: number; readonly many: number };
  /** Memory of the processes, after the measurement with few and after that with many. */
  readonly residentBytes: Readonly<Record<Application, { readonly few: number; readonly many: number }>>;
}

export interface BacklogOptions {
  readonly few: number;
  readonly many: number;
  /** Of those that are measured. */
  readonly webhooks: number;
  /** The fastest shows the most of the queue. */
  readonly client: 'got' | 'undici';
}

const APPLICATIONS = ['producer', 'worker', 'aggregator'] as const;
// Enqueued and delivered before anything is measured: processes take memory and gain speed as they get going, whatever
// waits. Each of the two workers first.
const WARM_UP = 100_000;
const FEED_EVERY_MS = 50;
const SETTLE_MS = 2_000;
const TIMEOUT_MS = 300_000;

export async function measureBacklog(options: BacklogOptions): Promise<BacklogFigures> {
  const { few, many, webhooks, client } = options;
  const { receiver, url } = await startReceiver();
  const fleet = await startDrillFleet({ workers: 1, environment: { HOOKFLEET_HTTP_CLIENT: client } });
  const calls = openProducerCalls(fleet.producerUrl);
  const meter = await openRedisMeter(fleet.redisUrl);
  try {
    await fleet.call('PUT', '/v1/channels/bench', { url, signingSecrets: [SIGNING_SECRET] });
    const run = { fleet, receiver, calls, meter, webhooks, sent: 0 };
    const warmUp = Math.min(WARM_UP, many);
    await fill(run, warmUp);
    const withFew = await measureWith(run, few);
    await fleet.stopWorkers();
    await fill(run, many + warmUp);
    await fleet.startWorkers(1);
    const withMany = await measureWith(run, many);
    return {
      perSecond: { few: withFew.perSecond, many: withMany.perSecond },
      residentBytes: Object.fromEntries(
        APPLICATIONS.map((one) => [
          one,
          { few: withFew.residentBytes[one], many: withMany.residentBytes[one] },
        ]),
      ) as BacklogFigures['residentBytes'],
    };
  } finally {
    await calls.close();
    meter.close();
    await fleet.stop();
    await receiver.stop();
  }
}

interface Run {
  readonly fleet: DrillFleet;
  readonly receiver: DrillChild<Received>;
  readonly calls: ProducerCalls;
  readonly meter: RedisMeter;
  readonly webhooks: number;
  sent: number;
}

/** Enqueues them, and waits until they are counted as accepted and Redis is through with what that made it do. */
async function fill(run: Run, webhooks: number): Promise<void> {
  await run.calls.bulk(webhooks);
  run.sent += webhooks;
  await until(async () => (await run.meter.accepted('bench')) >= run.sent);
  await until(async () => !(await run.meter.isRewriting()));
}

async function measureWith(run: Run, waiting: number) {
  const counts = async () => ({
    atMs: performance.now(),
    received: (await run.receiver.ask({})).count,
    counted: await run.meter.delivered('bench'),
  });
  // Down to what shall wait, where more does; then steady for a while.
  await until(async () => run.sent - (await counts()).received <= waiting + run.webhooks / 10);
  await feed(run, waiting, async (elapsedMs) => elapsedMs >= SETTLE_MS);
  const from = await counts();
  let to = from;
  await feed(run, waiting, async () => {
    to = await counts();
    return to.received - from.received >= run.webhooks;
  });
  const seconds = (to.atMs - from.atMs) / 1_000;
  const residentBytes = Object.fromEntries(
    await Promise.all(
      APPLICATIONS.map(
        async (one): Promise<[Application, number]> => [one, await run.fleet.residentBytes(one)],
      ),
    ),
  ) as Record<Application, number>;
  return {
    perSecond: Math.min(to.received - from.received, to.counted - from.counted) / seconds,
    residentBytes,
  };
}

/** Enqueues what is missing to `waiting`, again and again, until it is done. */
async function feed(run: Run, waiting: number, done: (elapsedMs: number) => Promise<boolean>): Promise<void> {
  const startedAt = performance.now();
  while (!(await done(performance.now() - startedAt))) {
    const missing = waiting - (run.sent - (await run.receiver.ask({})).count);
    if (missing > 0) {
      await run.calls.bulk(missing);
      run.sent += missing;
    }
    await sleep(FEED_EVERY_MS);
  }
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!(await reached())) {
    if (performance.now() > deadline) throw new Error(`not reached within ${TIMEOUT_MS} ms`);
    await sleep(100);
  }
}

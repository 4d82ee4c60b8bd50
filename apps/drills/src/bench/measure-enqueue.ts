/** How fast webhooks come in: one a call, many a call, from a program that writes to Redis; and BullMQ's own addBulk. */
import { connectRedis, createSecretBox, disconnectRedis, openWebhooksOut } from '@hookfleet/queue';
import { Agent, request } from 'undici';
import { startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';
import type { BareQueueTask } from './bare-queue-process.ts';
import { startBenchChild } from './child.ts';
import { BODY, webhooksTo } from './samples.ts';

export interface EnqueueFigures {
  readonly single: number;
  readonly bulk: number;
  readonly direct: number;
  /** BullMQ's, of single jobs with the same body. */
  readonly addBulk: number;
  readonly redisMicrosSingle: number;
  readonly redisMicrosBulk: number;
  /** Of Redis' memory, for each webhook that waits after bulk calls. */
  readonly bytesPerWaiting: number;
}

const BULK = 5_000;
const CALLS_AT_ONCE = 4;
const SINGLES_AT_ONCE = 50;

/** Webhooks a second; `single`: how many are sent one by one, `many` in bulk. */
export async function measureEnqueue({
  single,
  many,
}: {
  single: number;
  many: number;
}): Promise<EnqueueFigures> {
  const fleet = await startDrillFleet({ workers: 0, aggregators: 0 });
  const meter = await openRedisMeter(fleet.redisUrl);
  const dispatcher = new Agent({ connections: SINGLES_AT_ONCE });
  const post = async (path: string, body: string) => {
    const response = await request(fleet.producerUrl + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      dispatcher,
    });
    await response.body.dump();
    if (response.statusCode !== 202) throw new Error(`${path} answered ${response.statusCode}`);
  };
  try {
    // Nobody takes them: where they go is no matter.
    const empty = async () => {
      await meter.flush();
      await fleet.call('PUT', '/v1/channels/bench', { url: 'http://127.0.0.1:9/' });
      await meter.lap();
    };
    await empty();
    const one = JSON.stringify(webhooksTo('bench', 1)[0]);
    const bulk = JSON.stringify({ webhooks: webhooksTo('bench', BULK) });
    await atOnce(SINGLES_AT_ONCE, 500, () => post('/v1/webhooks', one));
    await post('/v1/webhooks/bulk', bulk);

    await empty();
    const singleSeconds = await atOnce(SINGLES_AT_ONCE, single, () => post('/v1/webhooks', one));
    const singleCost = await meter.lap();

    await empty();
    const emptyBytes = await meter.memoryBytes();
    const bulkSeconds = await atOnce(CALLS_AT_ONCE, many / BULK, () => post('/v1/webhooks/bulk', bulk));
    const bulkCost = await meter.lap();
    const bytesPerWaiting = ((await meter.memoryBytes()) - emptyBytes) / many;
    await meter.flush();

    const direct = await enqueueDirectly(fleet.redisUrl, many);
    await meter.flush();
    return {
      single: single / singleSeconds,
      bulk: many / bulkSeconds,
      direct,
      addBulk: await addBulk(fleet.redisUrl, many / 2),
      redisMicrosSingle: singleCost.cpuMicros / single,
      redisMicrosBulk: bulkCost.cpuMicros / many,
      bytesPerWaiting,
    };
  } finally {
    await dispatcher.close();
    meter.close();
    await fleet.stop();
  }
}

/** Seconds that so many calls took, so many at a time. */
async function atOnce(parallel: number, calls: number, call: () => Promise<void>): Promise<number> {
  let left = calls;
  const startedAt = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: parallel }, loop));
  return (performance.now() - startedAt) / 1_000;
}

async function enqueueDirectly(url: string, webhooks: number): Promise<number> {
  const onError = () => undefined;
  const connection = connectRedis({ url, name: 'bench', temper: 'failFast', onError });
  await new Promise((resolve) => connection.once('ready', resolve));
  const out = openWebhooksOut({
    connection,
    prefix: 'hookfleet',
    shards: 1,
    bundleSize: 25,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    priorityOf: () => 'normal',
    onError,
  });
  const some = webhooksTo('bench', BULK).map(({ payload, ...webhook }) => ({
    ...webhook,
    body: JSON.stringify(payload),
  }));
  const seconds = await atOnce(CALLS_AT_ONCE, webhooks / BULK, async () => void (await out.enqueue(some)));
  await out.close();
  disconnectRedis(connection);
  return webhooks / seconds;
}

async function addBulk(redisUrl: string, jobs: number): Promise<number> {
  const { hostname: host, port } = new URL(redisUrl);
  const child = await startBenchChild<{ seconds: number }>('bare-queue-process.ts', {
    redis: { host, port: Number(port) },
    concurrency: 1,
  });
  const task = (count: number): BareQueueTask => ({ do: 'add', jobs: count, data: BODY, perCall: 1_000 });
  await child.ask(task(2_000));
  const { seconds } = await child.ask(task(jobs));
  await child.stop();
  return jobs / seconds;
}

/** How fast webhooks come in: one a call, many a call, from a program that writes to Redis; and BullMQ's own addBulk. */
import {
  connectRedis,
  createSecretBox,
  disconnectRedis,
  openWebhooksOut,
  openKnownControls,
} from '@hookfleet/queue';
import { startDrillFleet } from '../drill-fleet.ts';
import { openRedisMeter } from '../redis-cost.ts';
import type { BareQueueTask } from './bare-queue-process.ts';
import { startDrillChild } from '../drill-child.ts';
import { atOnce, BULK, BULKS_AT_ONCE, openProducerCalls } from './producer-calls.ts';
import { BODY, webhooksTo } from './samples.ts';

export interface EnqueueFigures {
  readonly single: number;
  readonly bulk: number;
  readonly direct: number;
  /** BullMQ's, of single jobs with the same body. */
  readonly addBulk: number;
  /** Of Redis' memory, for each webhook that waits after bulk calls. */
  readonly bytesPerWaiting: number;
}

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
  const calls = openProducerCalls(fleet.producerUrl);
  try {
    // Nobody takes them: where they go is no matter.
    const empty = async () => {
      await meter.flush();
      await fleet.call('PUT', '/v1/channels/bench', { url: 'http://127.0.0.1:9/' });
    };
    await empty();
    await calls.single(500);
    await calls.bulk(BULK);

    await empty();
    const singleSeconds = await calls.single(single);

    await empty();
    const emptyBytes = await meter.memoryBytes();
    const bulkSeconds = await calls.bulk(many);
    const bytesPerWaiting = ((await meter.memoryBytes()) - emptyBytes) / many;
    await meter.flush();

    const direct = await enqueueDirectly(fleet.redisUrl, many);
    await meter.flush();
    return {
      single: single / singleSeconds,
      bulk: many / bulkSeconds,
      direct,
      addBulk: await addBulk(fleet.redisUrl, many / 2),
      bytesPerWaiting,
    };
  } finally {
    await calls.close();
    meter.close();
    await fleet.stop();
  }
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
    controls: openKnownControls({ connection, prefix: 'hookfleet', onError }),
    onError,
  });
  const some = webhooksTo('bench', BULK).map(({ payload, ...webhook }) => ({
    ...webhook,
    body: JSON.stringify(payload),
  }));
  const seconds = await atOnce(BULKS_AT_ONCE, webhooks / BULK, async () => void (await out.enqueue(some)));
  await out.close();
  disconnectRedis(connection);
  return webhooks / seconds;
}

async function addBulk(redisUrl: string, jobs: number): Promise<number> {
  const { hostname: host, port } = new URL(redisUrl);
  const child = await startDrillChild<{ seconds: number }>(
    new URL('./bare-queue-process.ts', import.meta.url),
    {
      redis: { host, port: Number(port) },
      concurrency: 1,
    },
  );
  const task = (count: number): BareQueueTask => ({ do: 'add', jobs: count, data: BODY, perCall: 1_000 });
  await child.ask(task(2_000));
  const { seconds } = await child.ask(task(jobs));
  await child.stop();
  return jobs / seconds;
}

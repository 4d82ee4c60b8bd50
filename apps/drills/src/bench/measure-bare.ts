/** The ceilings: a bare loop of each HTTP client, and BullMQ with a worker that does nothing. */
import { startTestRedis } from '@hookfleet/testkit';
import type { BareClientRun, BareClientSettings } from './bare-client-process.ts';
import type { BareQueueTask } from './bare-queue-process.ts';
import { startDrillChild } from '../drill-child.ts';
import { BODY } from './samples.ts';
import { startReceiver } from './start-receiver.ts';

/** As many as one worker has in flight where nothing slows it down. */
const IN_FLIGHT = 200;

export async function measureBareClient(
  client: BareClientSettings['client'],
  requests: number,
): Promise<BareClientRun> {
  const { receiver, url } = await startReceiver();
  const settings: BareClientSettings = { client, url, body: BODY, inFlight: IN_FLIGHT };
  const loop = await startDrillChild<BareClientRun>(
    new URL('./bare-client-process.ts', import.meta.url),
    settings,
  );
  try {
    await loop.ask(Math.ceil(requests / 10));
    return await loop.ask(requests);
  } finally {
    await loop.stop();
    await receiver.stop();
  }
}

/** Jobs a second that one process takes, does nothing with, and completes. */
export async function measureEmptyQueue(jobs: number): Promise<number> {
  const redis = await startTestRedis();
  const { hostname: host, port } = new URL(redis.url);
  const child = await startDrillChild<{ seconds: number }>(
    new URL('./bare-queue-process.ts', import.meta.url),
    {
      redis: { host, port: Number(port) },
      concurrency: IN_FLIGHT,
    },
  );
  const add = (count: number): BareQueueTask => ({ do: 'add', jobs: count, data: BODY, perCall: 1_000 });
  try {
    await child.ask(add(1_000));
    await child.ask({ do: 'work', jobs: 1_000 } satisfies BareQueueTask);
    await child.ask(add(jobs));
    const { seconds } = await child.ask({ do: 'work', jobs } satisfies BareQueueTask);
    return jobs / seconds;
  } finally {
    await child.stop();
    await redis.stop();
  }
}

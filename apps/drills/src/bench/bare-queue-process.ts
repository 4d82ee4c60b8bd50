/** BullMQ by itself: jobs added in bulk, and a worker that does nothing, or one bare request, with each. */
import { Queue, Worker } from 'bullmq';
import { type BareClient, openBareClient } from './bare-client.ts';
import { drillChild } from '../drill-child.ts';

export interface BareQueueSettings {
  readonly redis: { readonly host: string; readonly port: number };
  readonly concurrency: number;
  /** Where each job's data is posted; nothing is sent without it. */
  readonly url?: string;
  readonly client?: BareClient;
}

export type BareQueueTask =
  | { readonly do: 'add'; readonly jobs: number; readonly data: string; readonly perCall: number }
  /** Adds one job at a time, so many a second. */
  | { readonly do: 'trickle'; readonly perSecond: number; readonly seconds: number; readonly data: string }
  | { readonly do: 'work'; readonly jobs: number };

const { redis, concurrency, url, client = 'undici' } = drillChild<BareQueueSettings>();
const connection = { ...redis, maxRetriesPerRequest: null };
const queue = new Queue('bare', { connection });
const post = url === undefined ? async () => undefined : openBareClient(client, url, concurrency);
const options = { removeOnComplete: true } as const;

async function add(jobs: number, data: string, perCall: number): Promise<void> {
  for (let left = jobs; left > 0; left -= perCall)
    await queue.addBulk(
      Array.from({ length: Math.min(left, perCall) }, () => ({
        name: 'bare',
        data: { body: data },
        opts: options,
      })),
    );
}

/** Jobs carry the time at which they were added: it is what the receiver measures from. */
async function trickle(perSecond: number, seconds: number, data: string): Promise<void> {
  const startedAt = performance.now();
  const adding: Promise<unknown>[] = [];
  for (let i = 0; i < perSecond * seconds; i += 1) {
    const waitMs = startedAt + (i * 1_000) / perSecond - performance.now();
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const body = data.replace('"sentAt":0', `"sentAt":${performance.timeOrigin + performance.now()}`);
    adding.push(queue.add('bare', { body }, options));
  }
  await Promise.all(adding);
}

async function work(jobs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let done = 0;
  const worker = new Worker('bare', (job) => post((job.data as { body: string }).body), {
    connection,
    concurrency,
  });
  worker.on('completed', () => {
    done += 1;
    if (done === jobs) resolve();
  });
  await promise;
  await worker.close(true);
}

process.on('message', async (task: BareQueueTask) => {
  const startedAt = performance.now();
  if (task.do === 'add') await add(task.jobs, task.data, task.perCall);
  else if (task.do === 'trickle') await trickle(task.perSecond, task.seconds, task.data);
  else await work(task.jobs);
  process.send?.({ seconds: (performance.now() - startedAt) / 1_000 });
});
process.send?.('ready');

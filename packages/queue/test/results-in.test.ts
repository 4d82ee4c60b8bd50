/** The results queue: what can't be applied is retried until it can, and what is not a results job is set aside. Takes about 10 s. */
import { expect, test } from '@jest/globals';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import { consumeResults, disconnectRedis, openResultsOut, type RedisConnection } from '../src/index.ts';
import { bundleOf, connect, outcomeOf } from './setup-queue.ts';

test('results that fail to be applied are applied again; poison fails once, with its reason', async () => {
  const redis = await startTestRedis();
  const connection = connect(redis.url);
  const options = { connection, prefix: 'test', shards: 1 };
  const out = openResultsOut(options);
  const bundle = bundleOf(1);
  const outcomes = bundle.webhooks.map((webhook) => outcomeOf(bundle, webhook));
  await out.add(0, { outcomes });
  const queue = new Queue('results', { connection, prefix: '{test:0}' });
  await queue.add('results', { version: 1, outcomes: 'many' });

  const errors: string[] = [];
  let tries = 0;
  const { promise: applied, resolve } = Promise.withResolvers<unknown>();
  const consumer = consumeResults({
    ...options,
    concurrency: 4,
    lockDurationMs: 30_000,
    stalledIntervalMs: 30_000,
    onError: (error) => void errors.push(error.message),
    async apply(results) {
      tries += 1;
      if (tries === 1) throw new Error('OOM command not allowed');
      resolve(results);
    },
  });
  expect(await applied).toEqual({ version: 1, outcomes });
  await eventually(async () => expect(await queue.getFailedCount()).toBe(1));
  expect(errors).toContain('OOM command not allowed');
  const [failed] = await queue.getFailed();
  expect(failed?.failedReason).toBe('not results: outcomes must be array');
  await eventually(async () =>
    expect(await queue.getJobCountByTypes('waiting', 'active', 'delayed')).toBe(0),
  );

  await consumer.stop();
  await out.close();
  await queue.close();
  disconnectRedis(connection);
  await redis.stop();
});

/**
 * What broke: an aggregator that was told to stop in the moment in which Redis went away waited for BullMQ's blocking
 * connection until its time was over, and exited 1. Found by the chaos drill.
 */
test.each([
  ['with nothing in hand', 0],
  ['in the middle of a job, which it finishes', 1],
])(
  'a consumer that is told to stop as Redis goes away stops, %s',
  async (_how, jobs) => {
    const redis = await startTestRedis();
    const connection = connect(redis.url);
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const options = { connection, prefix: 'test', shards: 1 };
    const out = openResultsOut(options);
    let applied = 0;
    const consumer = consumeResults({
      ...options,
      concurrency: 4,
      lockDurationMs: 30_000,
      stalledIntervalMs: 30_000,
      onError: () => undefined,
      closeWithinMs: 500,
      async apply() {
        begin();
        await ended;
        applied += 1;
      },
    });
    const bundle = bundleOf(1);
    const outcomes = bundle.webhooks.map((webhook) => outcomeOf(bundle, webhook));
    for (let job = 0; job < jobs; job += 1) await out.add(0, { outcomes });
    await (jobs > 0 ? begun : untilItBlocks(connection));
    await redis.kill();
    const stopped = consumer.stop();
    end();
    await stopped;
    expect(applied).toBe(jobs);
    await out.close();
    disconnectRedis(connection);
    await redis.stop();
  },
  60_000,
);

/** Some client waits on an empty queue. */
async function untilItBlocks(connection: RedisConnection): Promise<void> {
  await eventually(async () =>
    expect(String(await connection.call('INFO', 'clients'))).toContain('blocked_clients:1'),
  );
}

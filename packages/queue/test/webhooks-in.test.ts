/** The webhooks queue's exit: how many are in hand, and what becomes of a job whatever its processing does. Takes about 5 s. */
import { expect, test } from '@jest/globals';
import { eventually, startTcpProxy } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import {
  type BundleRun,
  type BundleRunEnd,
  consumeWebhooks,
  disconnectRedis,
  openWebhooksOut,
  UnreadableBundleError,
  type WebhooksConsumer,
  createSecretBox,
  openKnownControls,
} from '../src/index.ts';
import { connect, webhook, testServer } from './setup-queue.ts';

const server = testServer();

function setup(bundleSize = 5) {
  const { connection, prefix } = server;
  const options = { connection, prefix, shards: 1 };
  const out = openWebhooksOut({
    ...options,
    bundleSize,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    controls: openKnownControls({ ...options, onError: () => undefined }),
    onError: () => undefined,
  });
  const queue = new Queue('webhooks', { connection, prefix: `{${prefix}:0}` });
  const errors: Error[] = [];
  const consumers: WebhooksConsumer[] = [];
  return {
    out,
    queue,
    errors,
    consume(
      process: (run: BundleRun) => Promise<BundleRunEnd>,
      {
        webhooksMax = 100,
        lockDurationMs = 30_000,
        stalledIntervalMs = 30_000,
        drainDelayS = 5,
        over = connection,
      } = {},
    ): WebhooksConsumer {
      const consumer = consumeWebhooks({
        ...options,
        connection: over,
        webhooksMax,
        lockDurationMs,
        stalledIntervalMs,
        drainDelayS,
        process,
        onDrained: () => undefined,
        onError: (error) => void errors.push(error),
      });
      consumers.push(consumer);
      return consumer;
    },
    enqueue: (count: number) => out.enqueue(Array.from({ length: count }, () => webhook())),
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await out.close();
      await queue.close();
    },
  };
}

test('every bundle is run once, and leaves nothing behind when it is finished', async () => {
  const { consume, enqueue, queue, close } = setup();
  await enqueue(23);
  const seen: BundleRun[] = [];
  consume(async (run) => {
    seen.push(run);
    return 'finished';
  });
  await eventually(async () =>
    expect(await queue.getJobCountByTypes('waiting', 'active', 'completed')).toBe(0),
  );
  const webhooks = seen.map(({ data }) => (data as { webhooks: unknown[] }).webhooks.length);
  expect(webhooks.sort()).toEqual([3, 5, 5, 5, 5]);
  expect(seen.every(({ repeated }) => !repeated)).toBe(true);
  await close();
});

test('no more webhooks are in hand than allowed, but for the rest of the last bundle', async () => {
  const { consume, enqueue, close } = setup();
  await enqueue(100);
  const held: { settled(webhooks: number): void; finish(): void }[] = [];
  const consumer = consume(
    ({ settled }) => {
      const { promise, resolve } = Promise.withResolvers<BundleRunEnd>();
      held.push({ settled, finish: () => resolve('finished') });
      return promise;
    },
    { webhooksMax: 8 },
  );
  await eventually(() => expect(consumer.inHand()).toBe(10));
  // One webhook of a bundle slows nobody down: four settled ones make room for the next bundle.
  held[0]?.settled(4);
  await eventually(() => expect(held.length).toBe(3));
  expect(consumer.inHand()).toBe(11);
  for (let done = 0; done < 20; done += 1) {
    await eventually(() => expect(held.length).toBeGreaterThan(done));
    held[done]?.finish();
  }
  await eventually(() => expect(consumer.inHand()).toBe(0));
  await close();
});

test('a bundle whose processing throws comes back, and is told that it is a repeat', async () => {
  const { consume, enqueue, errors, close } = setup();
  await enqueue(1);
  const runs: boolean[] = [];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  consume(async ({ repeated }) => {
    runs.push(repeated);
    if (runs.length === 1) throw new Error('ours');
    resolve();
    return 'finished';
  });
  await done;
  expect(runs).toEqual([false, true]);
  expect(errors.map(({ message }) => message)).toEqual(['ours']);
  await close();
});

test('data that is no bundle is set aside as failed, with its reason, and does not come back', async () => {
  const { consume, queue, close } = setup();
  await queue.add('bundle', 'poison');
  consume(async ({ data }) => {
    throw new UnreadableBundleError(`not a bundle: ${JSON.stringify(data)}`);
  });
  await eventually(async () => expect(await queue.getFailedCount()).toBe(1));
  const [job] = await queue.getFailed();
  expect(job?.failedReason).toBe('not a bundle: "poison"');
  await close();
});

test('at a stop what is in hand is told so, waited for, and goes back where it was not finished', async () => {
  const { consume, enqueue, queue, close } = setup();
  await enqueue(5);
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const consumer = consume(({ signal }) => {
    const { promise, resolve: release } = Promise.withResolvers<BundleRunEnd>();
    signal.addEventListener('abort', () => release('released'));
    resolve();
    return promise;
  });
  await begun;
  await consumer.stop();
  expect(await queue.getJobCounts('waiting', 'active')).toMatchObject({ waiting: 1, active: 0 });
  await close();
});

test('a stop does not wait for something to come into an empty queue', async () => {
  const { consume, close } = setup();
  // The fetch would wait for ten minutes.
  const consumer = consume(async () => 'finished', { drainDelayS: 600 });
  await eventually(() => expect(consumer.lastProgressAt()).toBeGreaterThan(0));
  await consumer.stop();
  await close();
});

test('the bundle of a process that is cut off is run by another, as a repeat; the late one changes nothing', async () => {
  const { consume, enqueue, queue, close } = setup();
  await enqueue(1);
  const proxy = await startTcpProxy(server.redis);
  const cutOff = connect(`redis://127.0.0.1:${proxy.port}`);
  const { promise: begun, resolve: begin } = Promise.withResolvers<AbortSignal>();
  const { promise: held, resolve: letGo } = Promise.withResolvers<BundleRunEnd>();
  const late = consume(
    ({ signal }) => {
      begin(signal);
      return held;
    },
    { over: cutOff, lockDurationMs: 600, stalledIntervalMs: 100 },
  );
  const signal = await begun;
  proxy.onRequest(() => false);
  const { promise: repeated, resolve } = Promise.withResolvers<boolean>();
  consume(
    async (run) => {
      resolve(run.repeated);
      return 'finished';
    },
    { lockDurationMs: 600, stalledIntervalMs: 100 },
  );
  expect(await repeated).toBe(true);
  await eventually(async () => expect(await queue.getJobCountByTypes('waiting', 'active')).toBe(0));
  proxy.onRequest(undefined);
  proxy.cut();
  // It learns from Redis that the lock is lost, and begins nothing more of the bundle.
  await eventually(() => expect(signal.aborted).toBe(true));
  letGo('finished');
  await late.stop();
  expect(await queue.getJobCountByTypes('waiting', 'active', 'completed', 'failed', 'delayed')).toBe(0);
  disconnectRedis(cutOff);
  await proxy.close();
  await close();
});

test('a bundle that takes longer than its lock keeps it: nobody else runs it meanwhile', async () => {
  const { consume, enqueue, queue, close } = setup();
  await enqueue(1);
  let runs = 0;
  const { promise: held, resolve: finish } = Promise.withResolvers<BundleRunEnd>();
  for (let i = 0; i < 2; i += 1)
    consume(
      () => {
        runs += 1;
        return held;
      },
      { lockDurationMs: 1_500, stalledIntervalMs: 100 },
    );
  await eventually(() => expect(runs).toBe(1));
  const [job] = await queue.getActive();
  let leftMs = 0;
  let renewals = 0;
  // Every third of its duration: after four renewals the lock would be gone without them.
  await eventually(async () => {
    const nowLeftMs = await server.connection.pttl(`${queue.toKey(job?.id as string)}:lock`);
    if (nowLeftMs > leftMs) renewals += 1;
    leftMs = nowLeftMs;
    expect(renewals).toBeGreaterThan(4);
  });
  finish('finished');
  await eventually(async () => expect(await queue.getJobCountByTypes('waiting', 'active')).toBe(0));
  expect(runs).toBe(1);
  await close();
});

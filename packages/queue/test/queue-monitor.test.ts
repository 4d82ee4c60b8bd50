/** What the queues hold, as metrics and scaling see it. */
import { expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import { attemptsCounterKey } from '../src/keys.ts';
import { createQueueMonitor, disconnectRedis, openWebhooksOut, createSecretBox } from '../src/index.ts';
import { connect, webhook } from './setup-queue.ts';

test('jobs, their age, and the time to drain them, counted in webhooks and over all shards', async () => {
  const redis = await startTestRedis();
  const connection = connect(redis.url);
  const shards = { connection, prefix: 'test', shards: 2 };
  let skewMs = 0;
  const monitor = createQueueMonitor(shards, () => Date.now() + skewMs);
  expect(await monitor.sample()).toMatchObject({ backlogSeconds: 0, attemptsPerSecond: 0, atRest: true });

  const out = openWebhooksOut({
    ...shards,
    bundleSize: 10,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    priorityOf: () => 'normal',
    onError: () => undefined,
  });
  await out.enqueue(Array.from({ length: 400 }, () => webhook()));
  await out.enqueue([webhook({ deliverAtMs: Date.now() + 3_600_000 })]);
  const jobs = async (queue: string, state: string) =>
    (await monitor.sample()).queues.find((one) => one.queue === queue && one.state === state)?.jobs;
  expect([await jobs('webhooks', 'waiting'), await jobs('webhooks', 'delayed')]).toEqual([40, 1]);
  expect(await monitor.waitingWebhookJobs()).toBe(40);

  // Where nothing is attempted at all, the backlog is as long as its oldest has waited.
  skewMs = 60_000;
  const idle = await monitor.sample();
  expect(idle.atRest).toBe(false);
  expect(idle.oldestSeconds.find(({ queue }) => queue === 'webhooks')?.seconds).toBeGreaterThan(59);
  expect(idle.backlogSeconds).toBeGreaterThan(59);

  // 100 attempts a second for a minute: the rate is near that, and 400 webhooks take about four seconds.
  await connection.incrby(attemptsCounterKey('{test:1}'), 6_000);
  skewMs += 60_000;
  const busy = await monitor.sample();
  expect(busy.attemptsPerSecond).toBeGreaterThan(80);
  expect(busy.attemptsPerSecond).toBeLessThan(101);
  expect(busy.backlogSeconds).toBeGreaterThan(3.9);
  expect(busy.backlogSeconds).toBeLessThan(5);

  await out.close();
  await monitor.close();
  disconnectRedis(connection);
  await redis.stop();
});

/**
 * While Redis is away, calls get 503 without waiting for it, and nothing that was accepted is lost. The release check
 * measures that the answer comes within 2 s (release-check/).
 * Takes about 4 s.
 */
import { expect, test } from '@jest/globals';
import { connectRedis, disconnectRedis } from '@hookfleet/queue';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { setupProducer, webhook } from './setup-producer.ts';

type TestRedis = Awaited<ReturnType<typeof startTestRedis>>;

async function outOfMemory(redis: TestRedis, maxmemory: string): Promise<void> {
  const admin = connectRedis({ url: redis.url, name: 'admin', temper: 'patient', onError: () => undefined });
  await admin.config('SET', 'maxmemory', maxmemory);
  disconnectRedis(admin);
}

test.each<[string, (redis: TestRedis) => Promise<void> | void, (redis: TestRedis) => Promise<void> | void]>([
  ['is gone', (redis) => redis.kill(), (redis) => redis.restart()],
  ['answers nothing', (redis) => redis.suspend(), (redis) => redis.resume()],
  ['is out of memory', (redis) => outOfMemory(redis, '1'), (redis) => outOfMemory(redis, '0')],
])('while Redis %s calls get 503, and afterwards all is as it was', async (_, begin, end) => {
  const redis = await startTestRedis({ appendFsync: 'always' });
  const producer = await setupProducer(redis.url);
  const accepted = await producer.call('POST', '/v1/webhooks/bulk', { webhooks: [webhook(), webhook()] });
  expect(accepted.status).toBe(202);

  await begin(redis);
  // Redis is not back before all are answered.
  const answers = await Promise.all([
    producer.call('POST', '/v1/webhooks', webhook()),
    producer.call('POST', '/v1/webhooks/bulk', { webhooks: [webhook()] }),
    producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey: 'k' })),
  ]);
  for (const { status, headers, json } of answers) {
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('1');
    expect(json).toMatchObject({ status: 503, title: 'Service Unavailable' });
  }
  // Restarting the process would mend nothing: it is healthy, and says why it isn't ready.
  expect((await producer.call('GET', '/healthz')).status).toBe(200);

  await end(redis);
  await eventually(async () =>
    expect((await producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey: 'k' }))).status).toBe(202),
  );
  expect((await producer.call('GET', '/readyz')).status).toBe(200);
  for (const id of accepted.json.ids)
    expect((await producer.call('GET', `/v1/webhooks/${id}`)).json).toMatchObject({ id, state: 'pending' });
  await producer.close();
  await redis.stop();
});

test('a producer whose Redis is gone is not ready, and says why', async () => {
  const redis = await startTestRedis();
  const producer = await setupProducer(redis.url);
  await redis.kill();
  const { status, json } = await producer.call('GET', '/readyz');
  expect(status).toBe(503);
  expect(json.checks.redis).not.toBe('ok');
  await redis.restart();
  await eventually(async () => expect((await producer.call('GET', '/readyz')).status).toBe(200));
  await producer.close();
  await redis.stop();
});

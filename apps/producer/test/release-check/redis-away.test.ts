/**
 * While Redis is away, the producer answers each call with 503 within 2 s. A measurement: on a machine that is not busy.
 * Takes about 6 s.
 */
import { expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import { setupProducer, webhook } from '../setup-producer.ts';

type TestRedis = Awaited<ReturnType<typeof startTestRedis>>;

test.each<[string, (redis: TestRedis) => Promise<void> | void, (redis: TestRedis) => Promise<void> | void]>([
  ['is gone', (redis) => redis.kill(), (redis) => redis.restart()],
  ['answers nothing', (redis) => redis.suspend(), (redis) => redis.resume()],
])('while Redis %s each call gets 503 within 2 s', async (_, begin, end) => {
  const redis = await startTestRedis();
  const producer = await setupProducer(redis.url);
  expect((await producer.call('POST', '/v1/webhooks', webhook())).status).toBe(202);
  await begin(redis);
  for (const call of [
    () => producer.call('POST', '/v1/webhooks', webhook()),
    () => producer.call('POST', '/v1/webhooks/bulk', { webhooks: [webhook()] }),
    () => producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey: 'k' })),
  ]) {
    const startedAt = performance.now();
    expect((await call()).status).toBe(503);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  }
  await end(redis);
  await producer.close();
  await redis.stop();
});

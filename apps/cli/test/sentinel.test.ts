/** The fleet goes on when a Redis master fails and sentinels put its replica in its place. Takes about 13 s. */
import { expect, test } from '@jest/globals';
import { eventually, startReceiver, startTestSentinel } from '@hookfleet/testkit';
import { accepted, enqueue, startApplication, totalsOf, webhooksTo } from './fleet-under-test.ts';

const WEBHOOKS = 50;

test('the fleet goes on with the new master when the old one dies, and when it was frozen and does not know', async () => {
  const redis = await startTestSentinel({ sentinelPassword: 'one-of-their-own' });
  const receiver = await startReceiver();
  const [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url, { HOOKFLEET_WAIT_REPLICAS: '1' }),
    startApplication('worker', redis.url),
    startApplication('aggregator', redis.url),
  ]);
  /** Sent again until it is accepted, as an upstream system does; then delivered, counted, and with the replica. */
  async function deliver(campaign: string): Promise<void> {
    const webhooks = webhooksTo(receiver.url, campaign, WEBHOOKS).map((webhook, i) => ({
      ...webhook,
      idempotencyKey: String(i),
    }));
    await eventually(async () => accepted(await enqueue(producer, webhooks)));
    await eventually(async () =>
      expect(await totalsOf(aggregator, campaign)).toMatchObject({
        events: { 'webhook.delivered': WEBHOOKS },
        messages: { accepted: WEBHOOKS, delivered: WEBHOOKS, pending: 0 },
      }),
    );
    await redis.untilReplicated();
  }

  await deliver('before');
  const first = await redis.master();
  await first.kill();
  const second = await redis.untilMasterIsNot(first);
  await first.restart();
  await redis.untilReplicated();
  await deliver('killed');
  second.suspend();
  await redis.untilMasterIsNot(second);
  second.resume();
  await deliver('frozen');

  for (const campaign of ['before', 'killed', 'frozen'])
    expect((await totalsOf(aggregator, campaign)).messages.delivered).toBe(WEBHOOKS);
  // A failover may repeat deliveries: records are not waited for.
  expect(receiver.ledger.length).toBeGreaterThanOrEqual(3 * WEBHOOKS);
  for (const one of [producer, worker, aggregator])
    expect(await one.stop()).toEqual({ code: 0, signal: null });
  await receiver.close();
  await redis.stop();
}, 180_000);

/** Campaigns through a real Redis Cluster of three masters, in four shards. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { eventually, startReceiver, startTestCluster } from '@hookfleet/testkit';
import {
  type Application,
  accepted,
  enqueue,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

test('a campaign that is spread over a cluster is delivered and counted as on one Redis', async () => {
  const cluster = await startTestCluster();
  const receiver = await startReceiver(({ nth, body }) => {
    const { number } = JSON.parse(body.toString()) as { number: number };
    if (number % 10 === 0) return { status: 404 };
    return number % 10 === 1 && nth === 1 ? { status: 503 } : { status: 200 };
  });
  const shards = { HOOKFLEET_SHARDS: '4', HOOKFLEET_BUNDLE_SIZE: '10' };
  const [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', cluster.url, shards),
    startApplication('worker', cluster.url, { HOOKFLEET_SHARDS: '4' }),
    startApplication('aggregator', cluster.url, { HOOKFLEET_SHARDS: '4' }),
  ]);
  const retry = { delaysMs: [50], jitter: 0 };
  const webhooks = webhooksTo(receiver.url, 'clustered', 300, { retry }).map((webhook, i) => ({
    ...webhook,
    // A third with keys: these find their shard by the key.
    ...(i % 3 === 0 && { idempotencyKey: `key-${i}` }),
  }));
  const ids = await accepted(await enqueue(producer, webhooks));
  expect(new Set(ids.map((id) => id.split('_')[1]))).toEqual(new Set(['0', '1', '2', '3']));
  const again = await accepted(await enqueue(producer, webhooks.slice(0, 1)));
  expect(again).toEqual(ids.slice(0, 1));
  await eventually(
    async () =>
      expect(await totalsOf(aggregator, 'clustered')).toMatchObject({
        events: { 'webhook.delivered': 270, 'webhook.bounced': 30, 'webhook.error': 30 },
        messages: { accepted: 300, delivered: 270, failed: 30, pending: 0 },
      }),
    { timeoutMs: 20_000 },
  );
  const found = await fetch(`${producer.url}/v1/webhooks/${ids[1]}`);
  expect(await found.json()).toMatchObject({ id: ids[1], state: 'delivered' });
  for (const one of [producer, worker, aggregator])
    expect(await one.stop()).toEqual({ code: 0, signal: null });
  await receiver.close();
  await cluster.stop();
});

test('workers that come and go under load lose and repeat nothing', async () => {
  const cluster = await startTestCluster();
  const receiver = await startReceiver(() => ({ status: 200, delayMs: 20 }));
  const environment = { HOOKFLEET_SHARDS: '4', HOOKFLEET_BUNDLE_SIZE: '10', HOOKFLEET_CONCURRENCY: '5' };
  const start = (application: Application) => startApplication(application, cluster.url, environment);
  const [producer, aggregator, first, second] = await Promise.all([
    start('producer'),
    start('aggregator'),
    start('worker'),
    start('worker'),
  ]);
  let sent = 0;
  const isOver = new AbortController();
  const sending = (async () => {
    while (!isOver.signal.aborted) {
      sent += (await accepted(await enqueue(producer, webhooksTo(receiver.url, 'scaled', 20)))).length;
      await sleep(50);
    }
  })();

  // The load is more than one of them delivers: each that goes has attempts in flight and bundles in hand.
  const third = await start('worker');
  const ends = [await first.stop(), await second.stop()];
  const fourth = await start('worker');
  ends.push(await third.stop());
  isOver.abort();
  await sending;
  await eventually(
    async () =>
      expect(await totalsOf(aggregator, 'scaled')).toMatchObject({
        messages: { accepted: sent, delivered: sent, pending: 0 },
      }),
    { timeoutMs: 30_000 },
  );
  expect(receiver.ledger).toHaveLength(sent);
  for (const end of [
    ...ends,
    ...(await Promise.all([producer, aggregator, fourth].map((one) => one.stop()))),
  ])
    expect(end).toEqual({ code: 0, signal: null });
  await receiver.close();
  await cluster.stop();
}, 60_000);

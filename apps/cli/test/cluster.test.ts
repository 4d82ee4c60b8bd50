/** A fleet on a Redis Cluster of three masters, in four shards, delivers and counts as on one Redis. Takes about 10 s. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, startReceiver, startTestCluster, type TestCluster } from '@hookfleet/testkit';
import {
  type Application,
  accepted,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

// More than the workers have in flight or in hand: each that stops has some of it.
const BACKLOG = 100;

jest.setTimeout(120_000);

let cluster: TestCluster;
let producer: ProcessUnderTest;
let aggregator: ProcessUnderTest;

function start(application: Application, environment: Record<string, string> = {}) {
  return startApplication(application, cluster.url, { HOOKFLEET_SHARDS: '4', ...environment });
}

beforeAll(async () => {
  cluster = await startTestCluster();
  [producer, aggregator] = await Promise.all([
    start('producer', { HOOKFLEET_BUNDLE_SIZE: '10' }),
    start('aggregator'),
  ]);
});

afterAll(async () => {
  const ends = [await producer.stop(), await aggregator.stop()];
  await cluster.stop();
  for (const end of ends) expect(end).toEqual({ code: 0, signal: null });
});

test('a campaign that is spread over a cluster is delivered and counted as on one Redis', async () => {
  const receiver = await startReceiver(({ nth, body }) => {
    const { number } = JSON.parse(body.toString()) as { number: number };
    if (number % 10 === 0) return { status: 404 };
    return number % 10 === 1 && nth === 1 ? { status: 503 } : { status: 200 };
  });
  const worker = await start('worker');
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
  await eventually(async () =>
    expect(await totalsOf(aggregator, 'clustered')).toMatchObject({
      events: { 'webhook.delivered': 270, 'webhook.bounced': 30, 'webhook.error': 30 },
      messages: { accepted: 300, delivered: 270, failed: 30, pending: 0 },
    }),
  );
  const found = await fetch(`${producer.url}/v1/webhooks/${ids[1]}`);
  expect(await found.json()).toMatchObject({ id: ids[1], state: 'delivered' });
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  await receiver.close();
});

test('workers that come and go under load lose and repeat nothing', async () => {
  const receiver = await startReceiver(() => ({ status: 200, delayMs: 20 }));
  const startWorker = () => start('worker', { HOOKFLEET_CONCURRENCY: '5' });
  const [first, second] = await Promise.all([startWorker(), startWorker()]);
  let sent = 0;
  const isOver = new AbortController();
  const sending = (async () => {
    while (!isOver.signal.aborted) {
      sent += (await accepted(await enqueue(producer, webhooksTo(receiver.url, 'scaled', 20)))).length;
      await receiver.received(sent - BACKLOG);
    }
  })();
  await receiver.received(BACKLOG);

  const third = await startWorker();
  const ends = [await first.stop(), await second.stop()];
  const fourth = await startWorker();
  ends.push(await third.stop());
  isOver.abort();
  await sending;
  await eventually(async () =>
    expect(await totalsOf(aggregator, 'scaled')).toMatchObject({
      messages: { accepted: sent, delivered: sent, pending: 0 },
    }),
  );
  expect(receiver.ledger).toHaveLength(sent);
  ends.push(await fourth.stop());
  for (const end of ends) expect(end).toEqual({ code: 0, signal: null });
  await receiver.close();
});

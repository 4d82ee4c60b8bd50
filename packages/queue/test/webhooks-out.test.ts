/** What is enqueued by calls with one webhook each, at the same time. Takes under a second. */
import { afterEach, expect, test } from '@jest/globals';
import type { Bundle } from '@hookfleet/contract';
import { Queue } from 'bullmq';
import {
  createSecretBox,
  openWebhooksOut,
  shardPrefix,
  type WebhooksOut,
  openKnownControls,
} from '../src/index.ts';
import { testServer, webhook } from './setup-queue.ts';

const server = testServer();
const opened: { close(): Promise<void> }[] = [];

function open(shards: number): WebhooksOut {
  const { connection, prefix } = server;
  const out = openWebhooksOut({
    connection,
    prefix,
    shards,
    bundleSize: 10,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
    onError: () => undefined,
  });
  opened.push(out);
  return out;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

async function bundlesInRedis(): Promise<Bundle[]> {
  const { connection, prefix } = server;
  const queue = new Queue('webhooks', { connection, prefix: shardPrefix(prefix, 0) });
  opened.push(queue);
  return (await queue.getJobs(['waiting', 'prioritized'])).map(({ data }) => data as Bundle);
}

test('calls that come together travel together, those of a campaign in one bundle; each gets the id of its own webhook', async () => {
  const out = open(1);
  const calls = Array.from({ length: 40 }, (_, i) =>
    webhook({ campaignId: `campaign-${i % 2}`, messageId: `message-${i}` }),
  );
  const ids = (await Promise.all(calls.map((call) => out.enqueue([call])))).flat();
  const found = await Promise.all(ids.map((id) => out.find(id)));
  expect(found.map((one) => [one?.campaignId, one?.messageId])).toEqual(
    calls.map(({ campaignId, messageId }) => [campaignId, messageId]),
  );
  const bundles = await bundlesInRedis();
  expect(bundles.flatMap(({ webhooks }) => webhooks)).toHaveLength(40);
  expect(bundles).toHaveLength(4);
});

test('a large webhook travels alone', async () => {
  const out = open(1);
  const calls = [webhook(), webhook({ body: JSON.stringify('x'.repeat(64 * 1024)) }), webhook()];
  await Promise.all(calls.map((call) => out.enqueue([call])));
  const sizes = (await bundlesInRedis()).map(({ webhooks }) => webhooks.length);
  expect(sizes.toSorted()).toEqual([1, 2]);
});

test('of calls with the same idempotency key at the same time, one webhook is enqueued and all get its id', async () => {
  const out = open(1);
  const calls = Array.from({ length: 20 }, (_, i) => webhook({ idempotencyKey: `key-${i % 4}` }));
  const ids = (await Promise.all(calls.map((call) => out.enqueue([call])))).flat();
  expect(new Set(ids).size).toBe(4);
  for (const [i, id] of ids.entries()) expect(id).toBe(ids[i % 4]);
  expect((await bundlesInRedis()).flatMap(({ webhooks }) => webhooks)).toHaveLength(4);
});

test('without a key, single calls spread over the shards', async () => {
  const out = open(2);
  const shards = new Set<string | undefined>();
  // Turns are by time: in each, calls go to another shard.
  while (shards.size < 2) {
    const [id] = await out.enqueue([webhook()]);
    shards.add(id?.split('_')[1]);
  }
});

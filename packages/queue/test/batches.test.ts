/** A lot, and what is left behind by whoever dies while a batch is made of it. Takes under a second. */
import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type BatchBody, type Bundle, formatWebhookId } from '@hookfleet/contract';
import { eventually, startTcpProxy } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import {
  type Batches,
  disconnectRedis,
  openBatches,
  readBundleLog,
  type RedisConnection,
} from '../src/index.ts';
import { readWebhookLog } from '../src/attempt-log.ts';
import { attemptLogKey, lotKeys } from '../src/keys.ts';
import { defineScripts, runScript } from '../src/scripts.ts';
import { bundleOf, connect, testServer } from './setup-queue.ts';

const BATCHING = { size: 50, maxWaitMs: 3_600_000 };

const server = testServer();
let connection: RedisConnection;
let batches: Batches;
let queue: Queue;
let prefix: string;
/** Of the channel and the campaign, as they are now. */
let settings: { batching: typeof BATCHING | undefined; isCancelled: boolean; controlsVersion: number };

beforeAll(() => defineScripts(server.connection));

beforeEach(() => {
  ({ connection, prefix } = server);
  settings = { batching: BATCHING, isCancelled: false, controlsVersion: 7 };
  batches = open();
  queue = new Queue('webhooks', { connection, prefix: `{${prefix}:0}` });
});

function open(leaseMs = 60_000): Batches {
  return openBatches({
    connection,
    prefix,
    shards: 1,
    retentionMs: 3_600_000,
    leaseMs,
    settingsOf: () => Promise.resolve(settings),
  });
}

let runs = 0;
function newBundle(webhooks: number): Bundle {
  runs += 1;
  const bundle = bundleOf(webhooks, { run: runs.toString(16).padStart(12, '0'), channelConfigId: '31' });
  return { ...bundle, webhooks: bundle.webhooks.map((webhook) => ({ ...webhook, messageId: 'm' })) };
}

const idsOf = ({ run, first, webhooks }: Bundle) =>
  webhooks.map(({ index }) => formatWebhookId({ shard: 0, run, first, index }));

async function gather(bundle: Bundle) {
  const [gathered] = await batches.gather(0, bundle, bundle.webhooks, BATCHING);
  if (gathered === undefined) throw new Error('nothing was gathered');
  return gathered;
}

async function queued(): Promise<BatchBody[]> {
  const jobs = await queue.getJobs(['waiting']);
  return jobs.map(({ data }) => JSON.parse((data as Bundle).webhooks[0]?.body ?? '') as BatchBody);
}

const gatheredCount = async () => Number(await connection.get(`{${prefix}:0}:gathered`));

/** Cuts a batch as a worker would that dies right after. */
async function cutAndDie(lot: string, batchId: string, leaseMs: number): Promise<void> {
  const { due, order, data, state, cut, leases } = lotKeys(`{${prefix}:0}`, lot);
  await runScript(
    connection,
    'cutBatch',
    [due, order, data, state, cut, leases],
    [lot, batchId, 1_000_000, leaseMs, '0', 50, 3_600_000],
  );
}

test('a bundle that is gathered again and again is in its lot once', async () => {
  const bundle = newBundle(20);
  for (let i = 0; i < 3; i += 1) expect((await gather(bundle)).isFull).toBe(false);
  expect(await gatheredCount()).toBe(20);
  const { lot } = await gather(newBundle(25));
  expect(await batches.send(lot)).toBeGreaterThan(3_000_000);
  settings.isCancelled = true;
  await batches.send(lot);
  expect((await queued()).map(({ messages }) => messages.length)).toEqual([45]);
  expect(await gatheredCount()).toBe(0);
  // Who takes it must know of the cancel.
  const [job] = await queue.getJobs(['waiting']);
  expect(job?.data).toMatchObject({ controlsVersion: settings.controlsVersion });
});

test('a full lot is cut to size, and the rest stays', async () => {
  const one = newBundle(30);
  await gather(one);
  const other = newBundle(30);
  const { lot, isFull } = await gather(other);
  expect(isFull).toBe(true);
  expect(await batches.send(lot)).toBeGreaterThan(3_000_000);
  const [batch] = await queued();
  expect(batch?.messages.map(({ id }) => id)).toEqual([...idsOf(one), ...idsOf(other).slice(0, 20)]);
  expect(await gatheredCount()).toBe(10);
});

test("webhooks' logs name their batch before it can be attempted", async () => {
  const bundle = newBundle(50);
  const { lot } = await gather(bundle);
  await batches.send(lot);
  const log = await readBundleLog(connection, `{${prefix}:0}`, bundle);
  expect([...log.batched].sort((a, b) => a - b)).toEqual(bundle.webhooks.map(({ index }) => index));
});

test('webhooks whose log was lost with a master are known by their batch, for as long as others', async () => {
  const bundle = newBundle(50);
  const { lot } = await gather(bundle);
  const key = attemptLogKey(`{${prefix}:0}`, bundle.run, bundle.first);
  await connection.del(key);
  await batches.send(lot);
  const { campaignId, acceptedAt } = bundle;
  expect(await readWebhookLog(connection, key, 7)).toMatchObject({
    head: { campaignId, acceptedAt, channelConfigId: '31' },
    messageId: 'm',
    batchId: (await queued())[0]?.batchId,
  });
  expect(await connection.pttl(key)).toBeGreaterThan(0);
});

test('a batch whose maker died is sent by another, under the same id, with the same webhooks', async () => {
  const bundle = newBundle(50);
  const { lot } = await gather(bundle);
  const batchId = 'wh_0_ffffffffffff_0_0';
  await cutAndDie(lot.name, batchId, 100);
  // Its bundle's job runs again meanwhile: nothing of it comes into the lot a second time.
  expect((await gather(bundle)).isFull).toBe(false);
  const rescuer = open(100);
  await eventually(async () => {
    for (const due of await rescuer.claimDue(10)) await rescuer.send(due);
    expect(await queued()).toHaveLength(1);
  });
  const [batch] = await queued();
  expect(batch?.batchId).toBe(batchId);
  expect(batch?.messages.map(({ id }) => id)).toEqual(idsOf(bundle));
  expect(await gatheredCount()).toBe(0);
  await rescuer.close();
});

test('a batch whose maker lives is left to it', async () => {
  const { lot } = await gather(newBundle(50));
  await cutAndDie(lot.name, 'wh_0_ffffffffffff_0_0', 60_000);
  settings.isCancelled = true;
  await batches.send(lot);
  expect(await queued()).toEqual([]);
});

test('a lot whose batches are settled leaves nothing behind', async () => {
  const { lot } = await gather(newBundle(50));
  await batches.send(lot);
  const keys = await (connection as { keys(pattern: string): Promise<string[]> }).keys(`{${prefix}:0}:lot*`);
  expect(keys).toEqual([]);
});

/**
 * What broke: a connection that lost the reply sent the call again when the batch had left, and its webhooks came into
 * a second one. Found by the chaos drill.
 */
test('webhooks stay in one batch where the call that gathered them is sent again after they have left', async () => {
  const proxy = await startTcpProxy(server.redis);
  const unlucky = connect(`redis://127.0.0.1:${proxy.port}`);
  const there = openBatches({
    connection: unlucky,
    prefix,
    shards: 1,
    retentionMs: 3_600_000,
    leaseMs: 60_000,
    settingsOf: () => Promise.resolve(settings),
  });
  const bundle = newBundle(3);
  const batching = { size: 50, maxWaitMs: 100 };
  settings.batching = batching;
  const isLost = proxy.loseReplyAfter('"body"');
  const gathering = there.gather(0, bundle, bundle.webhooks, batching);
  await isLost;
  const goOn = proxy.stall();
  const [lot] = await eventually(async () => {
    const due = await batches.claimDue(10);
    expect(due).toHaveLength(1);
    return due;
  });
  if (lot === undefined) throw new Error('no lot is due');
  await batches.send(lot);
  goOn();
  await gathering;
  settings.isCancelled = true;
  await batches.send(lot);
  expect((await queued()).map(({ messages }) => messages.map(({ id }) => id))).toEqual([idsOf(bundle)]);
  await there.close();
  disconnectRedis(unlucky);
  await proxy.close();
});

test('a smaller size, a shorter wait and a channel without batches reach what has gathered', async () => {
  const { lot } = await gather(newBundle(30));
  settings.batching = { ...BATCHING, size: 10 };
  await batches.send(lot);
  expect((await queued()).map(({ messages }) => messages.length)).toEqual([10, 10, 10]);

  await gather(newBundle(3));
  settings.batching = { ...BATCHING, maxWaitMs: 0 };
  await batches.send(lot);
  expect((await queued()).map(({ messages }) => messages.length).sort()).toEqual([10, 10, 10, 3]);

  const single = newBundle(4);
  await gather(single);
  await queue.obliterate({ force: true });
  settings.batching = undefined;
  expect(await batches.list()).toEqual([lot]);
  await batches.send(lot);
  const jobs = await queue.getJobs(['waiting']);
  expect(jobs.map(({ data }) => (data as Bundle).webhooks)).toEqual(
    expect.arrayContaining(single.webhooks.map((webhook) => [webhook])),
  );
  expect(jobs).toHaveLength(4);
  expect(await gatheredCount()).toBe(0);
  const { batched } = await readBundleLog(connection, `{${prefix}:0}`, single);
  expect(batched.size).toBe(0);
});

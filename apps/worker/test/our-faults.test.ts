/**
 * Faults of ours strand nothing: what no worker can send becomes a dead letter that says why, what only this one cannot
 * send waits for another, and both can be cancelled. Takes about 6 s.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Bundle } from '@hookfleet/contract';
import {
  createSecretBox,
  type DeadLetters,
  disconnectRedis,
  openCampaignControls,
  openChannels,
  openDeadLetters,
  openKnownControls,
  type RedisConnection,
  shardPrefix,
  type WebhooksOut,
} from '@hookfleet/queue';
import { eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { connect, openProducer, startWorker, type WorkerUnderTest } from './setup.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let connection: RedisConnection;
let receiver: Receiver;
let prefix: string;
let webhooks: WebhooksOut;
let deadLetters: DeadLetters;
let workers: WorkerUnderTest[];
let prefixes = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  connection = connect(redis.url);
});

afterAll(async () => {
  disconnectRedis(connection);
  await redis.stop();
});

beforeEach(async () => {
  prefixes += 1;
  prefix = `f${prefixes}`;
  receiver = await startReceiver();
  webhooks = openProducer(connection, { prefix, encryptionKeys: [KEY] });
  deadLetters = openDeadLetters({
    connection,
    prefix,
    shards: 1,
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
  });
  workers = [];
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await Promise.all([webhooks.close(), deadLetters.close()]);
  await receiver.close();
});

async function newWorker(encryptionKeys = [KEY]): Promise<WorkerUnderTest> {
  const worker = await startWorker(redis.url, { prefix, encryptionKeys });
  workers.push(worker);
  return worker;
}

const channels = () => openChannels({ connection, prefix, secrets: createSecretBox([KEY]) });
const stateOf = async (id: string) => (await webhooks.find(id))?.state;

/** To a channel, unless another destination is given. */
async function send(changes: object = { channelConfigId: '31' }): Promise<string> {
  const [id = ''] = await webhooks.enqueue([
    { campaignId: 'c', messageId: 'm', body: '{}', idempotencyKey: 'once', ...changes },
  ]);
  return id;
}

async function isUnsendable(id: string, why: RegExp): Promise<void> {
  await eventually(async () => expect(await stateOf(id)).toBe('failed'));
  const { failures } = await deadLetters.list('c', {}, 10);
  expect(failures.filter(({ webhookId }) => webhookId === id)).toEqual([
    expect.objectContaining({
      event: 'webhook.error',
      reason: 'unsendable',
      responseBody: expect.stringMatching(why),
    }),
  ]);
}

test.each([
  ['alone', undefined],
  ['gathered for a batch', { size: 50, maxWaitMs: 3_600_000 }],
])(
  'webhooks whose channel is gone, %s, are dead letters, and are delivered when it is back',
  async (_how, batch) => {
    const first = await newWorker();
    await channels().put('31', { url: receiver.url, ...(batch !== undefined && { batch }) });
    const controls = openCampaignControls({ connection, prefix });
    if (batch === undefined) await controls.pause('c');
    const id = await send();
    const waits = batch === undefined ? `{${prefix}}:waiting` : `${shardPrefix(prefix, 0)}:gathered`;
    await eventually(async () => expect(await connection.exists(waits)).toBe(1));
    // It knows the channel for a while yet.
    await first.stop();
    workers = [];
    const stored = await connection.hgetall(`{${prefix}}:channels`);
    await connection.del(`{${prefix}}:channels`);
    const worker = await newWorker();
    await controls.resume('c');
    // As if its wait were over.
    const lots = `${shardPrefix(prefix, 0)}:lots`;
    for (const lot of await connection.zrange(lots, 0, '-1')) await connection.zadd(lots, 0, lot);
    await isUnsendable(id, /channel 31 is not stored/);
    expect(receiver.ledger).toEqual([]);
    expect(worker.errors).toEqual([]);

    await connection.hset(`{${prefix}}:channels`, stored);
    await channels().put('31', { url: receiver.url });
    expect(await deadLetters.replay(id)).toBe('replayed');
    await eventually(async () => expect(await stateOf(id)).toBe('delivered'));
  },
);

test('a webhook that its workers died of a hundred times is a dead letter', async () => {
  const id = await send({ destination: { url: receiver.url } });
  // BullMQ's count of the job's workers that died.
  const [job = ''] = await connection.keys(`${shardPrefix(prefix, 0)}:webhooks:????????????_*`);
  await connection.hset(job, 'stc', 101);
  await newWorker();
  await isUnsendable(id, /101 workers died/);
  expect(receiver.ledger).toEqual([]);
});

test('a webhook whose request cannot be built is a dead letter', async () => {
  await newWorker();
  // No call would have taken it.
  await channels().put('31', { url: receiver.url, signingSecrets: ['whsk_AAAA'] });
  await isUnsendable(await send(), /request can't be built/);
});

test.each([
  ['was sealed for another campaign', (theirs: string) => theirs, /belongs to another campaign/],
  ['was changed', (_theirs: string, own: string) => `${own.slice(0, -4)}AAAA`, /was changed/],
  ['was never sealed', () => JSON.stringify({ url: 1 }), /is none/],
])(
  'a webhook whose encrypted destination %s is sent nowhere, and is a dead letter',
  async (_what, spoil, why) => {
    const target = { destination: { url: receiver.url } };
    const id = await send(target);
    await send({ ...target, campaignId: 'other' });
    const jobs = await connection.keys(`${shardPrefix(prefix, 0)}:webhooks:????????????_*`);
    const bundles = await Promise.all(
      jobs.map(async (job) => ({
        job,
        data: JSON.parse((await connection.hget(job, 'data')) ?? '') as Bundle,
      })),
    );
    const sealedOf = (campaignId: string) =>
      bundles.find(({ data }) => data.campaignId === campaignId)?.data.sealedDestination ?? '';
    const own = bundles.find(({ data }) => data.campaignId === 'c');
    if (own === undefined) throw new Error('the webhook has no job');
    const sealedDestination = spoil(sealedOf('other'), sealedOf('c'));
    await connection.hset(own.job, 'data', JSON.stringify({ ...own.data, sealedDestination }));
    const worker = await newWorker();
    await isUnsendable(id, why);
    await eventually(() => expect(receiver.ledger).toHaveLength(1));
    expect(worker.errors).toEqual([]);
  },
);

test('a worker without the key uses up no attempt: one with it delivers', async () => {
  const without = await newWorker([]);
  const id = await send({ destination: { url: receiver.url } });
  // It tries again and again.
  await eventually(() => expect(without.errors.length).toBeGreaterThan(1));
  expect(await webhooks.find(id)).toMatchObject({ state: 'pending', attempts: [] });
  await without.stop();
  workers = [];
  await newWorker();
  await eventually(async () => expect(await webhooks.find(id)).toMatchObject({ state: 'delivered' }));
  expect((await webhooks.find(id))?.attempts).toHaveLength(1);
});

test.each([
  ['to a destination of its own', {}],
  ['to a channel', { channelConfigId: '31' }],
])('a worker without the key cancels what it cannot read, %s', async (_where, target) => {
  await channels().put('31', { url: receiver.url });
  const without = await newWorker([]);
  const id = await send('channelConfigId' in target ? target : { destination: { url: receiver.url } });
  await eventually(() => expect(without.errors.length).toBeGreaterThan(0));
  await openCampaignControls({ connection, prefix }).cancel('c');
  await eventually(async () => expect(await stateOf(id)).toBe('cancelled'));
});

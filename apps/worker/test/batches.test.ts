/**
 * A channel that sends batches: what each request holds, when it leaves, and that no recipient is lost or sent twice.
 * Takes about 5 s.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { BatchBody, type Channel, compileValidator } from '@hookfleet/contract';
import {
  campaignLane,
  createSecretBox,
  disconnectRedis,
  openCampaignControls,
  openChannels,
  openCircuits,
  openDeadLetters,
  type RedisConnection,
  shardPrefix,
  type WebhooksOut,
  openKnownControls,
} from '@hookfleet/queue';
import { type Answer, eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { connect, openProducer, startWorker, type WorkerUnderTest } from './setup.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let connection: RedisConnection;
let webhooks: WebhooksOut;
let receiver: Receiver;
let workers: WorkerUnderTest[];
let prefix: string;
let answer: (nth: number) => Answer;
let prefixes = 0;

const validateBody = compileValidator<BatchBody>(BatchBody);

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
  prefix = `b${prefixes}`;
  answer = () => ({ status: 200 });
  receiver = await startReceiver(({ nth }) => answer(nth));
  webhooks = openProducer(connection, { prefix, shards: 2 });
  workers = await Promise.all(Array.from({ length: 2 }, () => startWorker(redis.url, { prefix, shards: 2 })));
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await webhooks.close();
  await receiver.close();
  expect(workers.flatMap(({ errors }) => errors)).toEqual([]);
});

async function channel(id: string, changes: Partial<Channel>): Promise<void> {
  await openChannels({ connection, prefix, secrets: createSecretBox([]) }).put(id, {
    url: receiver.url,
    retry: { delaysMs: [50, 50], jitter: 0 },
    ...changes,
  });
}

function send(
  channelConfigId: string,
  count: number,
  { campaignId = 'c', messageId = 'm', body = (i: number) => `{"n":${i}}` } = {},
): Promise<string[]> {
  return webhooks.enqueue(
    Array.from({ length: count }, (_, i) => ({
      campaignId,
      messageId,
      channelConfigId,
      userId: `u-${i}`,
      body: body(i),
    })),
  );
}

function bodies(): BatchBody[] {
  return receiver.ledger.map(({ request }) => {
    const checked = validateBody(JSON.parse(request.body.toString()));
    if ('errors' in checked) throw new Error(JSON.stringify(checked.errors));
    return checked.value;
  });
}

const sizes = () => bodies().map(({ messages }) => messages.length);
const outcomes = () => workers.flatMap((worker) => worker.outcomes);

test.each([50, 1_000])(
  'a batch of %d leaves when it is full, and the rest when the wait ends',
  async (size) => {
    await channel('31', { batch: { size, maxWaitMs: 3_600_000 } });
    const ids = await send('31', size + 7);
    await receiver.received(1);
    await waitIsOver(7);
    await receiver.received(2);
    expect(sizes().sort((a, b) => a - b)).toEqual([7, size]);
    const messages = bodies().flatMap((body) => body.messages);
    expect(messages.map(({ id }) => id).sort()).toEqual([...ids].sort());
    // Each recipient's part is what was given for it.
    for (const { id, userId, payload } of messages) {
      const n = ids.indexOf(id);
      expect({ userId, payload }).toEqual({ userId: `u-${n}`, payload: { n } });
    }
    for (const [i, { request }] of receiver.ledger.entries()) {
      expect(request.headers['content-type']).toBe('application/json');
      expect(bodies()[i]).toMatchObject({
        batchId: request.webhookId,
        campaignId: 'c',
        messageId: 'm',
        channelConfigId: '31',
      });
    }
    await eventually(() =>
      expect(
        outcomes()
          .map(({ recipients }) => recipients)
          .sort((a, b) => a - b),
      ).toEqual([7, size]),
    );
  },
);

test('webhooks of other messages and campaigns travel in batches of their own', async () => {
  await channel('own', { batch: { size: 50, maxWaitMs: 200 } });
  await Promise.all([
    send('own', 3),
    send('own', 4, { messageId: 'other' }),
    send('own', 5, { campaignId: 'other' }),
  ]);
  await receiver.received(3);
  expect(sizes().sort()).toEqual([3, 4, 5]);
});

test('webhooks that come one by one share a batch, and none waits longer than the wait', async () => {
  const maxWaitMs = 3_600_000;
  await channel('slow', { batch: { size: 50, maxWaitMs } });
  const beforeMs = Date.now();
  for (let i = 0; i < 5; i += 1) await send('slow', 1);
  await eventually(async () => expect(await gathered()).toBe(5));
  const afterMs = Date.now();
  const [lot] = await lotsOf();
  expect(receiver.ledger).toEqual([]);
  // The lot is due when its first webhook has waited long enough, and leaves then.
  expect(lot?.dueAtMs).toBeGreaterThanOrEqual(beforeMs + maxWaitMs);
  expect(lot?.dueAtMs).toBeLessThanOrEqual(afterMs + maxWaitMs);
  await lot?.pass(maxWaitMs);
  await receiver.received(1);
  expect(sizes()).toEqual([5]);
});

test('a batch is cut before it outgrows a mebibyte', async () => {
  await channel('large', { batch: { size: 50, maxWaitMs: 3_600_000 } });
  await send('large', 10, { body: () => JSON.stringify('x'.repeat(300_000)) });
  // A mebibyte holds three: three batches leave, and the last webhook waits.
  await receiver.received(3);
  await waitIsOver(1);
  await receiver.received(4);
  expect(sizes().reduce((sum, size) => sum + size)).toBe(10);
  for (const { request } of receiver.ledger) expect(request.body.length).toBeLessThan(1_100_000);
});

test('what was given as body and contentType is passed on as such', async () => {
  await channel('text', { batch: { size: 50, maxWaitMs: 100 } });
  await webhooks.enqueue([
    { campaignId: 'c', messageId: 'm', channelConfigId: 'text', body: 'a "b"', contentType: 'text/plain' },
  ]);
  await receiver.received(1);
  expect(bodies()[0]?.messages).toEqual([
    { id: expect.any(String), body: 'a "b"', contentType: 'text/plain' },
  ]);
});

test("a batch is tried again whole, and each recipient's webhook tells its attempts", async () => {
  await channel('again', { batch: { size: 50, maxWaitMs: 100 } });
  answer = (nth) => ({ status: nth === 1 ? 503 : 200 });
  const ids = await send('again', 3);
  await receiver.received(2);
  expect(new Set(receiver.ledger.map(({ request }) => request.webhookId)).size).toBe(1);
  const batchId = bodies()[0]?.batchId as string;
  for (const id of ids) {
    await eventually(async () =>
      expect(await webhooks.find(id)).toMatchObject({
        id,
        batchId,
        state: 'delivered',
        messageId: 'm',
        attempts: [{ event: 'webhook.bounced' }, { event: 'webhook.delivered' }],
      }),
    );
  }
  expect(await webhooks.find(batchId)).toMatchObject({ id: batchId, recipients: 3, state: 'delivered' });
});

interface GatheringLot {
  readonly dueAtMs: number;
  /** Makes the lot as old as if so much time had passed. */
  pass(ms: number): Promise<void>;
}

// In one step: a worker that looks between two of them would take the lot away.
const MAKE_OLDER = `
for i, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local arrivedAtMs, id = string.match(entry, '^(%S+) (.+)$')
  redis.call('LSET', KEYS[1], i - 1, string.format('%.0f %s', arrivedAtMs - ARGV[1], id))
end
redis.call('ZADD', KEYS[2], 'XX', 0, ARGV[2])`;

async function lotsOf(): Promise<GatheringLot[]> {
  const lots: GatheringLot[] = [];
  for (const shard of [0, 1]) {
    const due = `${shardPrefix(prefix, shard)}:lots`;
    const [name, dueAtMs] = await connection.zrange(due, 0, '-1', 'WITHSCORES');
    if (name === undefined) continue;
    lots.push({
      dueAtMs: Number(dueAtMs),
      async pass(ms) {
        const order = `${shardPrefix(prefix, shard)}:lot:${name}:order`;
        await connection.eval(MAKE_OLDER, 2, order, due, ms, name);
      },
    });
  }
  return lots;
}

/** When only the rest is left in the lots, its wait is over. */
async function waitIsOver(rest: number): Promise<void> {
  await eventually(async () => expect(await gathered()).toBe(rest));
  for (const lot of await lotsOf()) await lot.pass(3_600_000);
}

/** Webhooks in the lots of both shards. */
async function gathered(): Promise<number> {
  const counts = await Promise.all(
    [0, 1].map((shard) => connection.get(`${shardPrefix(prefix, shard)}:gathered`)),
  );
  return counts.reduce((sum, count) => sum + Number(count), 0);
}

test('while it gathers, a webhook is found pending', async () => {
  await channel('wait', { batch: { size: 50, maxWaitMs: 3_600_000 } });
  const [id = ''] = await send('wait', 1);
  await eventually(async () => expect(await gathered()).toBe(1));
  expect(await webhooks.find(id)).toMatchObject({ state: 'pending', messageId: 'm', attempts: [] });
});

test('a batch that fails is one dead letter of its recipients; it is replayed whole', async () => {
  await channel('dead', { batch: { size: 50, maxWaitMs: 3_600_000 } });
  answer = (nth) => ({ status: nth === 1 ? 400 : 200 });
  const [id = ''] = await send('dead', 60);
  await receiver.received(1);
  await waitIsOver(10);
  const deadLetters = openDeadLetters({
    connection,
    prefix,
    shards: 2,
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
  });
  try {
    await eventually(async () =>
      expect(
        (await deadLetters.list('c', {}, 10)).failures.map(({ recipients = 0 }) => recipients).sort(),
      ).toEqual([10, 50]),
    );
    const { batchId } = (await webhooks.find(id)) ?? {};
    expect(await deadLetters.replay(id)).toEqual({ batchId });
    expect(await deadLetters.replay(batchId as string)).toBe('replayed');
    await eventually(async () => expect((await webhooks.find(id))?.state).toBe('delivered'));
    expect(sizes().sort()).toEqual([10, 50, 50]);
  } finally {
    await deadLetters.close();
  }
});

test('a paused campaign gathers, and sends its batches when it is resumed', async () => {
  await channel('held', { batch: { size: 50, maxWaitMs: 100 } });
  const circuits = openCircuits({ connection, prefix });
  await circuits.set(campaignLane('held'), { state: 'paused', sinceMs: Date.now(), why: 'operator' });
  await channel('tells', {});
  await Promise.all(workers.map((worker) => worker.looked()));
  const ids = await send('held', 60, { campaignId: 'held' });
  await eventually(async () => {
    for (const id of ids) expect((await webhooks.find(id))?.batchId).toBeDefined();
  });
  const [free = ''] = await send('tells', 1, { campaignId: 'free' });
  await eventually(async () => expect((await webhooks.find(free))?.state).toBe('delivered'));
  expect(receiver.ledger).toHaveLength(1);
  await circuits.set(campaignLane('held'), undefined);
  for (const id of ids)
    await eventually(async () => expect((await webhooks.find(id))?.state).toBe('delivered'), {
      timeoutMs: 60_000,
    });
});

test('a campaign that is cancelled leaves its lots at once, and nothing is sent', async () => {
  await channel('off', { batch: { size: 50, maxWaitMs: 3_600_000 } });
  const ids = await send('off', 10, { campaignId: 'off' });
  await eventually(async () => {
    for (const id of ids) expect(await webhooks.find(id)).toMatchObject({ state: 'pending' });
    expect(await gathered()).toBe(10);
  });
  await openCampaignControls({ connection, prefix }).cancel('off');
  for (const id of ids)
    await eventually(async () => expect((await webhooks.find(id))?.state).toBe('cancelled'), {
      timeoutMs: 60_000,
    });
  expect(receiver.ledger).toEqual([]);
});

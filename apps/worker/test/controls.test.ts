/**
 * Pause, cancel, resume, deadline and replay, with two workers: what an operator's call promises holds from its answer
 * on, whatever comes next. Takes about 8 s.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { parseWebhookId, type WebhookLocation } from '@hookfleet/contract';
import {
  type CampaignControlsStore,
  campaignLane,
  type DeadLetters,
  disconnectRedis,
  laneOf,
  openCampaignControls,
  openCircuits,
  openDeadLetters,
  openKnownControls,
  type RedisConnection,
  type WebhooksOut,
} from '@hookfleet/queue';
import { type Answer, eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { connect, openProducer, startWorker, type WorkerUnderTest } from './setup.ts';

const DAY_MS = 86_400_000;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let connection: RedisConnection;
let webhooks: WebhooksOut;
let controls: CampaignControlsStore;
let deadLetters: DeadLetters;
let receiver: Receiver;
let workers: WorkerUnderTest[];
let prefix: string;
let answer: (path: string) => Answer;
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
  prefix = `t${prefixes}`;
  answer = () => ({ status: 200 });
  receiver = await startReceiver(({ path }) => answer(path));
  webhooks = openProducer(connection, { prefix });
  controls = openCampaignControls({ connection, prefix });
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
  expect(workers.flatMap(({ errors }) => errors)).toEqual([]);
});

async function startWorkers(count = 2): Promise<void> {
  workers.push(
    ...(await Promise.all(
      Array.from({ length: count }, () => startWorker(redis.url, { prefix, attemptTimeoutMs: 60_000 })),
    )),
  );
}

function send(count: number, changes: { campaignId?: string; deliverAtMs?: number; path?: string } = {}) {
  const { path = '/', ...rest } = changes;
  return webhooks.enqueue(
    Array.from({ length: count }, (_, i) => ({
      campaignId: 'c',
      messageId: `m-${i}`,
      destination: { url: `${receiver.url}${path}`, retry: { delaysMs: [], jitter: 0 } },
      body: '{}',
      ...rest,
    })),
  );
}

async function allAre(ids: readonly string[], state: string): Promise<void> {
  await eventually(async () => {
    const found = await Promise.all(ids.map((id) => webhooks.find(id)));
    expect(found.map((webhook) => webhook?.state)).toEqual(ids.map(() => state));
  });
}

/** Resolves when a webhook that nothing holds back was delivered: whatever could be sent before it, was. */
async function somethingElseIsSent(): Promise<void> {
  await allAre(await send(1, { campaignId: 'other', path: '/other' }), 'delivered');
}

const arrivals = () => receiver.ledger.filter(({ request }) => request.path !== '/other').length;

test('a cancel sends nothing of what is due tomorrow', async () => {
  await startWorkers();
  const ids = await send(500, { deliverAtMs: Date.now() + DAY_MS });
  await controls.cancel('c');
  await allAre(ids, 'cancelled');
  await somethingElseIsSent();
  expect(arrivals()).toBe(0);
});

test('a second cancel, right after a resume, cancels what came in between', async () => {
  await startWorkers();
  await controls.cancel('c');
  await controls.resume('c');
  const ids = await send(40, { deliverAtMs: Date.now() + DAY_MS });
  await controls.cancel('c');
  await allAre(ids, 'cancelled');
  expect(arrivals()).toBe(0);
});

test('a resume right after a cancel sends what comes then, and nothing of before', async () => {
  await startWorkers();
  const before = await send(100, { deliverAtMs: Date.now() + DAY_MS });
  await controls.cancel('c');
  const meanwhile = await send(5);
  await controls.resume('c');
  const after = await send(20);
  const later = await send(20, { deliverAtMs: Date.now() + DAY_MS });
  await allAre(after, 'delivered');
  await allAre([...before, ...meanwhile], 'cancelled');
  expect(arrivals()).toBe(20);
  // Swept with the others, and back at its time.
  await allAre(later, 'scheduled');
});

test('a deadline that passes cancels what waits, also beside a cancel', async () => {
  await startWorkers();
  await controls.cancel('c');
  await controls.resume('c');
  const ids = await send(40, { deliverAtMs: Date.now() + DAY_MS });
  await controls.set('c', { deadline: new Date(Date.now() + 300).toISOString() });
  await allAre(ids, 'cancelled');
  expect(arrivals()).toBe(0);
});

test('what is enqueued for later in a cancelled campaign is cancelled at once', async () => {
  await startWorkers();
  await controls.cancel('c');
  await allAre(await send(10, { deliverAtMs: Date.now() + DAY_MS }), 'cancelled');
});

test('what a deadline has cancelled stays so when the deadline is moved, and what comes then is sent', async () => {
  const ids = await send(10, { deliverAtMs: Date.now() + DAY_MS });
  await controls.set('c', { deadline: new Date(Date.now() - 1).toISOString() });
  const late = await send(10);
  // Nobody was there to count them as cancelled.
  await controls.set('c', { deadline: new Date(Date.now() + DAY_MS).toISOString() });
  const onTime = await send(10);
  await startWorkers();
  await allAre([...ids, ...late], 'cancelled');
  await allAre(onTime, 'delivered');
  expect(arrivals()).toBe(10);
});

test('a worker that starts sends nothing of a paused campaign or channel', async () => {
  const { set } = openCircuits({ connection, prefix });
  await controls.pause('c');
  await set(laneOf(undefined, receiver.url), { state: 'paused', sinceMs: Date.now(), why: 'operator' });
  const ids = await send(500);
  const ofChannel = await send(100, { campaignId: 'd' });
  await startWorkers();
  const waiting = () => connection.hgetall(`{${prefix}}:waiting`);
  await eventually(async () =>
    expect(await waiting()).toEqual({ [campaignLane('c')]: '500', [laneOf(undefined, receiver.url)]: '100' }),
  );
  expect(receiver.ledger).toHaveLength(0);
  await set(laneOf(undefined, receiver.url), undefined);
  await controls.resume('c');
  await allAre([...ids, ...ofChannel], 'delivered');
  expect(receiver.ledger).toHaveLength(600);
});

test.each(['pause', 'cancel'] as const)('nothing of a campaign begins after a %s', async (verb) => {
  await startWorkers();
  // Nothing is answered, so nothing new begins, until the workers know of it.
  const { promise: known, resolve: answerAll } = Promise.withResolvers<void>();
  answer = () => ({ status: 200, after: known });
  await send(3_000);
  await receiver.received(1);
  await controls[verb]('c');
  await Promise.all(workers.map((worker) => worker.looked()));
  // What was begun until then is on its way, and not answered: it has arrived when as many have.
  const begun = () => workers.reduce((sum, worker) => sum + worker.inFlight(), 0);
  await eventually(() => expect(arrivals()).toBe(begun()));
  const begunBefore = arrivals();
  answerAll();
  await somethingElseIsSent();
  expect(arrivals()).toBe(begunBefore);
  expect(begunBefore).toBeLessThan(3_000);
});

test('two changes at the same time are both kept', async () => {
  const campaigns = Array.from({ length: 50 }, (_, i) => `c${i}`);
  await Promise.all(campaigns.flatMap((id) => [controls.set(id, { priority: 'high' }), controls.cancel(id)]));
  for (const id of campaigns) {
    const { controls: stored } = await controls.get(id);
    expect(stored).toEqual({ priority: 'high', cancelledAtMs: expect.any(Number) });
  }
});

test('a cancelled campaign is not replayed, and its dead letters stay', async () => {
  await startWorkers();
  answer = () => ({ status: 400 });
  const [id = ''] = await send(1);
  await allAre([id], 'failed');
  await controls.cancel('c');
  expect(await deadLetters.replay(id)).toBe('cancelled');
  expect(await deadLetters.replayCampaign('c', {}, { webhooksMax: 10, perSecond: 50 })).toBe('cancelled');
  await controls.resume('c');
  await controls.set('c', { deadline: new Date(Date.now() - 1_000).toISOString() });
  expect(await deadLetters.replay(id)).toBe('cancelled');
  await controls.set('c', {});
  answer = () => ({ status: 200 });
  expect(await deadLetters.replay(id)).toBe('replayed');
  await allAre([id], 'delivered');
});

test('a replay that is cancelled on its way leaves a dead letter that can be replayed', async () => {
  await startWorkers();
  answer = () => ({ status: 400 });
  const ids = await send(3);
  await allAre(ids, 'failed');
  await controls.pause('c');
  expect(await deadLetters.replayCampaign('c', {}, { webhooksMax: 10, perSecond: 1 })).toEqual({
    replayed: 3,
    more: false,
  });
  await controls.cancel('c');
  await allAre(ids, 'failed');
  await controls.resume('c');
  answer = () => ({ status: 200 });
  for (const id of ids) expect(await deadLetters.replay(id)).toBe('replayed');
  await allAre(ids, 'delivered');
});

test('a webhook that failed although it was cancelled is failed, and its replay is sent', async () => {
  await startWorkers();
  answer = () => ({ status: 400 });
  const [id = ''] = await send(1);
  await allAre([id], 'failed');
  // A worker that lost its lock cancelled the bundle while another one attempted it.
  const { run, index } = parseWebhookId(id) as WebhookLocation;
  const logs = await connection.keys(`*:log:${run}_*`);
  expect(logs).toHaveLength(1);
  await connection.hset(logs[0] as string, `${index}.cancelled`, 'm');
  await allAre([id], 'failed');
  answer = () => ({ status: 200 });
  expect(await deadLetters.replay(id)).toBe('replayed');
  await allAre([id], 'delivered');
});

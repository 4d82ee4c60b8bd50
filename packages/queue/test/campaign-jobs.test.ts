/** Which campaign's webhooks go first, and what becomes of those that wait when its controls change. Takes about 5 s. */
import { beforeEach, expect, test } from '@jest/globals';
import type { Bundle, CampaignPriority } from '@hookfleet/contract';
import { eventually } from '@hookfleet/testkit';
import { Queue, Worker } from 'bullmq';
import {
  createSecretBox,
  openCampaignJobs,
  type Sweep,
  openWebhooksOut,
  type RedisConnection,
  type WebhooksOut,
  openKnownControls,
  openCampaignControls,
} from '../src/index.ts';
import { backlogOf, webhook, testServer } from './setup-queue.ts';

const server = testServer();
let connection: RedisConnection;
let out: WebhooksOut;
let queue: Queue;
let prefix: string;

beforeEach(() => {
  ({ connection, prefix } = server);
  out = open();
  queue = new Queue('webhooks', { connection, prefix: `{${prefix}:0}` });
});

function open(): WebhooksOut {
  return openWebhooksOut({
    connection,
    prefix,
    shards: 1,
    bundleSize: 25,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
    onError: () => undefined,
  });
}

async function send(campaignId: string, count: number, deliverAtMs?: number): Promise<void> {
  await out.enqueue(Array.from({ length: count }, () => webhook({ campaignId, deliverAtMs })));
}

/** Takes bundles as a worker does, and tells their campaigns. */
async function take(bundles: number): Promise<string[]> {
  const worker = new Worker('webhooks', null, { connection, prefix: `{${prefix}:0}` });
  const campaigns: string[] = [];
  for (let i = 0; i < bundles; i += 1) {
    const job = await worker.getNextJob(`token-${i}`, { block: false });
    if (job === undefined) break;
    campaigns.push((job.data as Bundle).campaignId);
    await job.moveToCompleted(null, `token-${i}`, false);
  }
  await worker.close(true);
  return campaigns;
}

const countOf = (campaigns: readonly string[], one: string) =>
  campaigns.filter((name) => name === one).length;

test('a small campaign that comes late goes before what a large one still has waiting', async () => {
  await send('large', 5_000);
  await send('small', 50);
  // What a large campaign sends first is not held up by anybody either.
  const taken = await take(12);
  expect(countOf(taken, 'large')).toBe(10);
  expect(countOf(taken, 'small')).toBe(2);
});

test('a second large campaign catches up with the first, and then they take turns', async () => {
  await send('first', 5_000);
  await take(100);
  await send('second', 5_000);
  const [catchingUp, after] = [await take(100), await take(200)];
  expect(countOf(catchingUp, 'second')).toBeGreaterThanOrEqual(90);
  expect(countOf(after, 'first')).toBeGreaterThanOrEqual(80);
  expect(countOf(after, 'second')).toBeGreaterThanOrEqual(80);
});

test('producers that know nothing of each other count a campaign together', async () => {
  await send('shared', 5_000);
  // It learns of it with its first webhook.
  await out.close();
  out = open();
  await send('shared', 1);
  await eventually(async () => {
    await send('shared', 1);
    const [last] = await queue.getJobs(['prioritized'], 0, 0, false);
    expect(last?.data).toMatchObject({ webhooks: [expect.anything()] });
  });
});

test("what leaves the queue is counted off, and an empty queue's counts are forgotten", async () => {
  const backlog = backlogOf(connection, prefix);
  await send('c', 1_000);
  await eventually(async () => expect(await connection.hget(`{${prefix}:0}:backlog`, 'c')).toBe('1000'));
  backlog.leave(0, 'c', 900, false);
  await eventually(async () => expect(await connection.hget(`{${prefix}:0}:backlog`, 'c')).toBe('100'));
  // Something waits: the counts stay.
  backlog.drained(0);
  await backlog.close();
  expect(await connection.exists(`{${prefix}:0}:backlog`)).toBe(1);
  await take(1_000);
  const last = backlogOf(connection, prefix);
  last.drained(0);
  await last.close();
  expect(await connection.exists(`{${prefix}:0}:backlog`)).toBe(0);
});

test.each<[CampaignPriority, 'first' | 'last']>([
  ['high', 'first'],
  ['low', 'last'],
])('a campaign that becomes %s while 20,000 webhooks wait goes %s', async (priority, place) => {
  await send('one', 5_000);
  await send('chosen', 5_000);
  await send('other', 10_000);
  const jobs = openCampaignJobs({ connection, prefix, shards: 1 });
  const moved = await jobs.reprioritize('chosen', priority);
  // The first few of a campaign are nobody's burden, and stay.
  expect(moved).toBe(190);
  // Again: nothing is left to do.
  expect(await jobs.reprioritize('chosen', priority)).toBe(0);
  const taken = await take(800);
  expect(taken).toHaveLength(800);
  const rest = taken.slice(30);
  const chosen = place === 'first' ? rest.slice(0, 190) : rest.slice(-190);
  expect(countOf(chosen, 'chosen')).toBe(190);
  await jobs.close();
});

test('new webhooks of a campaign go by its priority', async () => {
  const controls = openCampaignControls({ connection, prefix });
  await controls.set('low', { priority: 'low' });
  await controls.set('high', { priority: 'high' });
  await send('low', 30);
  await send('normal', 2_000);
  await send('high', 2_000);
  const taken = await take(200);
  expect(countOf(taken.slice(20, 90), 'high')).toBe(70);
  expect(countOf(taken.slice(-2), 'low')).toBe(2);
});

test('a sweep brings a campaign to the front, what is due next week too', async () => {
  await send('on', 5_000);
  await send('off', 5_000);
  await send('off', 100, Date.now() + 7 * 86_400_000);
  const jobs = openCampaignJobs({ connection, prefix, shards: 1 });
  await jobs.bringForward('off');
  const taken = await take(400);
  expect(countOf(taken.slice(0, 220), 'off')).toBe(204);
  await jobs.close();
});

test('a cancelled campaign is swept twice, by one worker each time, and once more for each cancel', async () => {
  const controls = openCampaignControls({ connection, prefix });
  const jobs = openCampaignJobs({ connection, prefix, shards: 1 });
  const sweeps = `{${prefix}}:sweeps`;
  const takeByTwo = async () => (await Promise.all([jobs.takeSweeps(), jobs.takeSweeps()])).flat();
  await controls.cancel('off');
  const [first, ...others] = await takeByTwo();
  expect(first?.campaignId).toBe('off');
  expect(others).toEqual([]);

  // Cancelled again while the sweep is under way.
  await controls.cancel('off');
  await jobs.sweepDone(first as Sweep);
  const [second] = await takeByTwo();
  expect(second?.campaignId).toBe('off');
  await jobs.sweepDone(second as Sweep);
  expect(await takeByTwo()).toEqual([]);

  expect(await connection.zrange(sweeps, 0, '-1')).toEqual(['off again']);
  await connection.zadd(sweeps, 0, 'off again');
  const [again] = await takeByTwo();
  expect(again?.campaignId).toBe('off');
  await jobs.sweepDone(again as Sweep);
  expect(await connection.exists(sweeps)).toBe(0);
  await jobs.close();
});

test('a sweep whose worker died is taken by another one', async () => {
  await openCampaignControls({ connection, prefix }).set('late', { deadline: new Date(0).toISOString() });
  const jobs = openCampaignJobs({ connection, prefix, shards: 1 });
  expect(await jobs.takeSweeps()).toHaveLength(1);
  expect(await jobs.takeSweeps()).toEqual([]);
  // The time for which it was taken is over.
  await connection.zadd(`{${prefix}}:sweeps`, 0, 'late');
  expect(await jobs.takeSweeps()).toHaveLength(1);
  await jobs.close();
});

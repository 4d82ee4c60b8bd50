/** A lane's parking lot: order, limits, leases, and what is left behind by whoever dies. Takes about 4 s. */
import { beforeEach, expect, test } from '@jest/globals';
import type { Bundle } from '@hookfleet/contract';
import { eventually } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import {
  createQueueMonitor,
  isLaterPiece,
  type Lanes,
  openCampaignControls,
  openLanes,
  openWebhooksOut,
  readBundleLog,
  type RedisConnection,
  type ReleaseOptions,
  createSecretBox,
} from '../src/index.ts';
import { bundleOf, testServer } from './setup-queue.ts';

const LANE = 'channel:c';
const ALL: ReleaseOptions = {
  limits: { pieceSize: 200, intervalMs: 0, burstMs: 0, concurrency: 0 },
  webhooksMax: 10_000,
  piecesMax: 10_000,
  begin: true,
  probe: false,
};

const server = testServer();
let connection: RedisConnection;
let lanes: Lanes;
let queue: Queue;
let prefix: string;

beforeEach(() => {
  ({ connection, prefix } = server);
  lanes = open();
  queue = new Queue('webhooks', { connection, prefix: `{${prefix}:0}` });
});

function open(leaseMs = 60_000): Lanes {
  return openLanes({ connection, prefix, shards: 1, retentionMs: 3_600_000, leaseMs });
}

let runs = 0;
function newBundle(webhooks: number, campaignId = 'c'): Bundle {
  runs += 1;
  return bundleOf(webhooks, { campaignId, run: runs.toString(16).padStart(12, '0'), channelConfigId: 'c' });
}

async function park(bundle: Bundle, pieceSize = 200): Promise<void> {
  await lanes.park(0, bundle, LANE, bundle.webhooks, pieceSize);
}

/** The released jobs' bundles, the first to be run first. */
async function releasedBundles(): Promise<(Bundle & { jobId: string })[]> {
  const jobs = await queue.getJobs(['waiting'], 0, -1, false);
  return jobs.map((job) => ({ ...(job.data as Bundle), jobId: job.id ?? '' }));
}

test('what is parked comes back as jobs with all their webhooks, and the lane is empty when they are finished', async () => {
  const bundle = newBundle(25);
  await park(bundle, 10);
  expect([...(await lanes.parked())]).toEqual([[LANE, 25]]);
  expect(await lanes.release(LANE, ALL)).toMatchObject({ webhooks: 25, inFlight: 25 });
  const pieces = await releasedBundles();
  expect(pieces.map(({ webhooks }) => webhooks.length).sort()).toEqual([10, 10, 5]);
  expect(pieces.flatMap(({ webhooks }) => webhooks.map(({ index }) => index)).sort((a, b) => a - b)).toEqual(
    bundle.webhooks.map(({ index }) => index),
  );
  expect(pieces.every(({ lane, recheck }) => lane === LANE && recheck === true)).toBe(true);
  expect([...(await lanes.parked())]).toEqual([]);
  for (const { jobId } of pieces) await lanes.finish(LANE, jobId);
  expect(await lanes.release(LANE, ALL)).toEqual({ webhooks: 0, inFlight: 0, nextInMs: undefined });
  const left = await connection.keys(`{${prefix}}:*`);
  // Only the lane's rate is remembered, and forgotten by and by.
  expect(left).toEqual([`{${prefix}}:lane:${LANE}:state`]);
  expect(await connection.pttl(left[0] as string)).toBeGreaterThan(0);
});

test('parking again, as a run after a crash does, changes nothing', async () => {
  const bundle = newBundle(5);
  await park(bundle);
  await park(bundle);
  expect(await lanes.parked()).toEqual(new Map([[LANE, 5]]));
  await lanes.release(LANE, ALL);
  // Released, but not finished: still known.
  await park(bundle);
  expect(await lanes.release(LANE, ALL)).toMatchObject({ webhooks: 0 });
  expect(await releasedBundles()).toHaveLength(1);
});

test('a run after a crash finds in the log what was parked, and parks the same piece', async () => {
  const bundle = newBundle(4);
  await lanes.park(0, bundle, LANE, bundle.webhooks.slice(1, 3), 200);
  const { waits } = await readBundleLog(connection, `{${prefix}:0}`, bundle);
  expect([...waits.keys()].sort()).toEqual([1, 2]);
  const [place] = waits.values();
  expect(place?.lane).toBe(LANE);
  const piece = place?.piece ?? '';
  expect(isLaterPiece(piece, bundle)).toBe(true);
  expect(isLaterPiece(piece, { ...bundle, parked: 1 })).toBe(false);
  expect(isLaterPiece(piece, { ...bundle, attempt: 2 })).toBe(false);
  await lanes.parkAgain(0, bundle, LANE, bundle.webhooks.slice(1, 3), piece);
  expect(await lanes.parked()).toEqual(new Map([[LANE, 2]]));
});

test('a piece whose releaser died is released again; one that is finished is not', async () => {
  const impatient = open(200);
  await park(newBundle(3));
  await park(newBundle(4));
  await impatient.release(LANE, ALL);
  const [first, second] = await releasedBundles();
  // As if the releaser had died before the first piece was in the queue.
  await queue.remove(first?.jobId as string);
  await impatient.finish(LANE, second?.jobId as string);
  await queue.remove(second?.jobId as string);
  await eventually(async () => {
    await impatient.release(LANE, ALL);
    expect((await releasedBundles()).map(({ jobId }) => jobId)).toEqual([first?.jobId]);
  });
  await impatient.close();
});

test('the rate is held, whoever asks and however often', async () => {
  for (let i = 0; i < 20; i += 1) await park(newBundle(5));
  // One webhook an hour, and five hours ahead: the time that the test itself takes changes nothing.
  const hourMs = 3_600_000;
  const limits = { pieceSize: 5, intervalMs: hourMs, burstMs: 5 * hourMs, concurrency: 0 };
  const release = async () => {
    let webhooks = 0;
    for (let i = 0; i < 3; i += 1) webhooks += (await lanes.release(LANE, { ...ALL, limits })).webhooks;
    return webhooks;
  };
  const pass = (hours: number) =>
    connection.hincrbyfloat(`{${prefix}}:lane:${LANE}:state`, 'tat', -hours * hourMs);
  // Ten at once: a piece, and what the lane may run ahead. The second piece goes as the lane is just as far ahead.
  expect(await release()).toBe(10);
  await pass(4);
  expect(await release()).toBe(0);
  await pass(1);
  expect(await release()).toBe(5);
  // After 85 hours, 85 more; 100 have gone in 90 hours, and none is left.
  for (let hours = 0; hours < 85; hours += 5) {
    await pass(5);
    expect(await release()).toBe(5);
  }
  expect(await lanes.release(LANE, { ...ALL, limits })).toMatchObject({ webhooks: 0, nextInMs: undefined });
});

test('no more are in flight than allowed, until some are finished', async () => {
  for (let i = 0; i < 5; i += 1) await park(newBundle(2));
  const limited = { ...ALL, limits: { ...ALL.limits, concurrency: 5 } };
  expect(await lanes.release(LANE, limited)).toMatchObject({ webhooks: 4, inFlight: 4 });
  expect(await lanes.release(LANE, limited)).toMatchObject({ webhooks: 0 });
  const [piece] = await releasedBundles();
  await lanes.finish(LANE, piece?.jobId as string);
  await lanes.finish(LANE, piece?.jobId as string);
  expect(await lanes.release(LANE, limited)).toMatchObject({ webhooks: 2, inFlight: 4 });
});

test('a small campaign that comes late does not wait behind all of a large one', async () => {
  for (let i = 0; i < 10; i += 1) await park(newBundle(10, 'large'));
  await lanes.release(LANE, { ...ALL, piecesMax: 2 });
  await park(newBundle(10, 'small'));
  await lanes.release(LANE, { ...ALL, piecesMax: 2 });
  const campaigns = (await releasedBundles()).map(({ campaignId }) => campaignId);
  expect(campaigns.slice().sort()).toEqual(['large', 'large', 'large', 'small']);
});

test('while both wait, three of four webhooks are first attempts and one is a retry', async () => {
  for (let i = 0; i < 40; i += 1) await park({ ...newBundle(1), attempt: 2 });
  for (let i = 0; i < 40; i += 1) await park(newBundle(1));
  await lanes.release(LANE, { ...ALL, piecesMax: 40 });
  const attempts = (await releasedBundles()).map(({ attempt }) => attempt);
  expect(attempts.filter((attempt) => attempt === 1)).toHaveLength(30);
  // Once no first attempt waits, retries have the lane for themselves.
  await lanes.release(LANE, ALL);
  expect(await releasedBundles()).toHaveLength(80);
});

test('a probe is a first attempt if one waits, whatever its turn, and a retry if none does', async () => {
  for (let i = 0; i < 3; i += 1) await park({ ...newBundle(1, `retried-${i}`), attempt: 2 });
  await park(newBundle(1, 'fresh'));
  const probe = { ...ALL, piecesMax: 1, probe: true };
  const released = async () =>
    (await releasedBundles()).map(({ campaignId, attempt }) => [campaignId, attempt]);
  await lanes.release(LANE, probe);
  expect(await released()).toEqual([['fresh', 1]]);
  await lanes.release(LANE, probe);
  expect(await released()).toContainEqual(['retried-0', 2]);
  expect(await released()).toHaveLength(2);
});

test("a campaign's priority counts as soon as it is set, for what waits already too", async () => {
  const controls = openCampaignControls({ connection, prefix });
  for (let i = 0; i < 100; i += 1) await park(newBundle(1, 'one'));
  for (let i = 0; i < 100; i += 1) await park(newBundle(1, 'other'));
  const shareOfOther = async () => {
    const before = await releasedBundles();
    await lanes.release(LANE, { ...ALL, piecesMax: 34 });
    const now = (await releasedBundles()).map(({ campaignId }) => campaignId);
    const count = (ids: string[]) => ids.filter((id) => id === 'other').length;
    return count(now) - count(before.map(({ campaignId }) => campaignId));
  };
  expect(await shareOfOther()).toBe(17);
  await controls.put('other', { priority: 'high' });
  expect(await shareOfOther()).toBeGreaterThanOrEqual(31);
  await controls.put('other', { priority: 'low' });
  expect(await shareOfOther()).toBeLessThanOrEqual(3);
});

test('a campaign that is called off leaves a lane at once, whatever its limits; the others stay', async () => {
  const limits = { pieceSize: 1, intervalMs: 3_600_000, burstMs: 0, concurrency: 0 };
  await park(newBundle(400, 'off'), 1);
  await park({ ...newBundle(5, 'off'), attempt: 3 });
  await park(newBundle(3, 'on'));
  await lanes.flush(LANE, 'off');
  const released = await releasedBundles();
  expect(released).toHaveLength(401);
  expect(new Set(released.map(({ campaignId }) => campaignId))).toEqual(new Set(['off']));
  expect(await lanes.parked()).toEqual(new Map([[LANE, 3]]));
  await Promise.all(released.map(({ jobId }) => lanes.finish(LANE, jobId)));
  // The rate is as it was: nothing of the lane was sent.
  expect(await lanes.release(LANE, { ...ALL, limits })).toMatchObject({ webhooks: 3, inFlight: 3 });
});

test('large bodies are released a few at a time, and none is left behind', async () => {
  const large = (campaignId: string): Bundle => {
    const bundle = newBundle(1, campaignId);
    return { ...bundle, webhooks: bundle.webhooks.map((one) => ({ ...one, body: 'x'.repeat(1_000_000) })) };
  };
  for (let i = 0; i < 12; i += 1) await park(large('kept'));
  for (let i = 0; i < 12; i += 1) await park(large('off'));
  await lanes.flush(LANE, 'off');
  expect(await releasedBundles()).toHaveLength(12);
  // Five of a megabyte are more than four mebibytes.
  expect(await lanes.release(LANE, ALL)).toMatchObject({ webhooks: 5, nextInMs: 1 });
  expect(await lanes.release(LANE, ALL)).toMatchObject({ webhooks: 5, nextInMs: 1 });
  expect(await lanes.release(LANE, ALL)).toMatchObject({ webhooks: 2, nextInMs: undefined });
  expect(await releasedBundles()).toHaveLength(24);
});

test('of many workers one looks at each lane that is due', async () => {
  await park(newBundle(1));
  const claimed = await Promise.all(Array.from({ length: 5 }, () => lanes.claimDue(10)));
  expect(claimed.flat()).toEqual([LANE]);
});

test('a webhook that waits in a lane is found, counted as backlog, and the queues are not at rest', async () => {
  const bundle = newBundle(2);
  await park(bundle);
  const out = openWebhooksOut({
    connection,
    prefix,
    shards: 1,
    bundleSize: 5,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    priorityOf: () => 'normal',
    onError: () => undefined,
  });
  expect(await out.find(`wh_0_${bundle.run}_0_1`)).toMatchObject({
    state: 'pending',
    messageId: 'm-1',
    attempts: [],
  });
  const monitor = createQueueMonitor({ connection, prefix, shards: 1 });
  expect(await monitor.sample()).toMatchObject({ parkedWebhooks: 2, atRest: false });
  await out.close();
  await monitor.close();
});

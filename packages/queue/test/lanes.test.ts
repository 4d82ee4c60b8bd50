/** Lanes: what waits and comes back, in which order, and what limits allow at the moment of sending. Takes about 4 s. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Job, Queue } from 'bullmq';
import fc from 'fast-check';
import {
  type AdmitRequest,
  campaignLane,
  openCampaignControls,
  openCircuits,
  openLanes,
  type LaneJob,
  type LaneLimits,
  type Lanes,
  readWaiting,
  type RedisConnection,
} from '../src/index.ts';
import { testServer } from './setup-queue.ts';

const LANE = 'channel:c';
const NO_LIMITS: LaneLimits = { intervalMs: 0, burst: 0, concurrency: 0 };
const HOUR_MS = 3_600_000;
const BUSY = { lane: LANE, reason: 'busy', lookInMs: 0 } as const;

const server = testServer();
let connection: RedisConnection;
let lanes: Lanes;
let queue: Queue;
let prefix: string;
let jobs = 0;

beforeEach(() => {
  ({ connection, prefix } = server);
  lanes = openLanes({ connection, prefix, shards: 1, permitMs: HOUR_MS, workerId: 'w' });
  queue = new Queue('webhooks', { connection, prefix: `{${prefix}:0}` });
});

afterEach(async () => {
  await lanes.close();
  await queue.close();
});

const pairOf = (campaignId: string) => ({ campaign: campaignLane(campaignId), destination: LANE });

/** A job in the delayed set, as a worker leaves it there. */
async function newJob(requests: number, campaignId = 'c', attempt = 1): Promise<LaneJob> {
  jobs += 1;
  const jobId = `job_${jobs}`;
  await queue.add(campaignId, {}, { jobId, delay: HOUR_MS, removeOnComplete: true });
  return {
    shard: 0,
    jobId,
    flow: attempt > 1 ? `${campaignId} retries` : campaignId,
    requests,
    recipients: requests,
  };
}

async function waitNew(requests: number, campaignId = 'c', attempt = 1): Promise<LaneJob> {
  const job = await newJob(requests, campaignId, attempt);
  await lanes.wait(pairOf(campaignId), BUSY, job);
  return job;
}

/** The jobs that are back in the queue, the first to be taken first. */
async function broughtBack(): Promise<string[]> {
  return (await queue.getJobs(['waiting'], 0, -1, true)).map((job: Job) => job.id ?? '');
}

function admit(job: LaneJob, changes: Partial<AdmitRequest> = {}) {
  return lanes.admit({
    lanes: pairOf(job.flow.split(' ')[0] as string),
    job,
    wanted: job.requests,
    campaignLimits: NO_LIMITS,
    limits: NO_LIMITS,
    withoutPermit: 0,
    ...changes,
  });
}

const waiting = async () => (await readWaiting(connection, prefix)).get(LANE)?.webhooks ?? 0;
const dueLanes = () => connection.zrange(`{${prefix}}:waits`, 0, '-1');
/** As if that time had passed for the lane's rate. */
const pass = (ms: number, lane = LANE) =>
  connection.hincrbyfloat(`{${prefix}}:waits:${lane}:state`, 'tat', -ms);

test('what waits comes back, and leaves nothing behind when it has ended', async () => {
  const first = await waitNew(25);
  const second = await waitNew(10);
  expect(await waiting()).toBe(35);
  expect(await dueLanes()).toEqual([LANE]);
  await lanes.release(LANE, NO_LIMITS, 1_000);
  expect(await broughtBack()).toEqual([first.jobId, second.jobId]);
  for (const job of [first, second]) {
    await lanes.begin(pairOf('c'), job);
    await lanes.leave(pairOf('c'), job);
  }
  expect(await waiting()).toBe(0);
  expect(await lanes.release(LANE, NO_LIMITS, 1_000)).toBeUndefined();
  const left = (await connection.keys(`{${prefix}}:wait*`)).sort();
  // The lane's rate is remembered for a while.
  expect(left).toEqual([`{${prefix}}:waits:${LANE}:state`]);
  expect(await connection.pttl(left[0] as string)).toBeGreaterThan(0);
});

test('no more is released than the caller has room for', async () => {
  for (let i = 0; i < 5; i += 1) await waitNew(10);
  await lanes.release(LANE, NO_LIMITS, 15);
  expect(await broughtBack()).toHaveLength(2);
  // What is on its way counts, until a worker has begun it.
  await lanes.release(LANE, NO_LIMITS, 15);
  expect(await broughtBack()).toHaveLength(2);
});

test('a job that waits again keeps its place', async () => {
  const [first, second] = [await waitNew(5), await waitNew(5)];
  await lanes.release(LANE, NO_LIMITS, 1);
  expect(await broughtBack()).toEqual([first?.jobId]);
  // It is taken, three of its webhooks are sent, and the others must wait once more.
  await queue.remove(first?.jobId as string);
  await queue.add('c', {}, { jobId: first?.jobId as string, delay: HOUR_MS });
  await lanes.begin(pairOf('c'), first as LaneJob);
  await lanes.wait(pairOf('c'), BUSY, { ...(first as LaneJob), requests: 2, recipients: 2 });
  expect(await waiting()).toBe(7);
  await lanes.release(LANE, NO_LIMITS, 100);
  expect(await broughtBack()).toEqual([first?.jobId, second?.jobId]);
});

test('what was released and begun by nobody is released again', async () => {
  const job = await waitNew(5);
  await lanes.release(LANE, NO_LIMITS, 100);
  // As if the caller had died before it brought the job back, five seconds ago.
  await queue.remove(job.jobId);
  await queue.add('c', {}, { jobId: job.jobId, delay: HOUR_MS });
  await connection.zadd(`{${prefix}}:waits:${LANE}:released`, 0, `0:${job.jobId}`);
  await lanes.release(LANE, NO_LIMITS, 100);
  expect(await broughtBack()).toEqual([job.jobId]);
});

test('a job that is gone leaves its lane', async () => {
  const job = await waitNew(5);
  await queue.remove(job.jobId);
  await lanes.release(LANE, NO_LIMITS, 100);
  expect(await waiting()).toBe(0);
});

test('the rate allows what it says at the moment of sending, whoever asks and however often', async () => {
  const limits = { ...NO_LIMITS, intervalMs: HOUR_MS, burst: 5 };
  const job = await newJob(25);
  expect(await admit(job, { limits })).toMatchObject({ granted: 5, wait: { lane: LANE, reason: 'rate' } });
  expect(await admit(job, { limits })).toMatchObject({ granted: 0 });
  await pass(HOUR_MS - 60_000);
  expect(await admit(job, { limits })).toMatchObject({ granted: 0 });
  await pass(60_000);
  expect(await admit(job, { limits })).toMatchObject({ granted: 1 });
  // After a pause, not more than the burst.
  await pass(100 * HOUR_MS);
  expect(await admit(job, { limits })).toMatchObject({ granted: 5 });
});

test('a rate that is raised, lowered or removed holds for what waits', async () => {
  const slow = { ...NO_LIMITS, intervalMs: HOUR_MS, burst: 1 };
  const job = await newJob(10);
  expect(await admit(job, { limits: slow })).toMatchObject({ granted: 1 });
  await lanes.wait(
    pairOf('c'),
    { lane: LANE, reason: 'rate', lookInMs: HOUR_MS },
    { ...job, requests: 9, recipients: 9 },
  );
  await lanes.release(LANE, slow, 100);
  expect(await broughtBack()).toEqual([]);
  // Raised: what is owed is one recipient, and that is a second now.
  const fast = { ...NO_LIMITS, intervalMs: 1_000, burst: 3 };
  expect(await admit({ ...job, requests: 9, recipients: 9 }, { limits: fast })).toMatchObject({ granted: 2 });
  await lanes.release(LANE, NO_LIMITS, 100);
  expect(await broughtBack()).toEqual([job.jobId]);
  // Lowered: the three that were sent are owed at the new rate.
  expect(await admit({ ...job, requests: 9, recipients: 9 }, { limits: slow })).toMatchObject({ granted: 0 });
  await pass(2_000);
  expect(await admit({ ...job, requests: 9, recipients: 9 }, { limits: slow })).toMatchObject({ granted: 0 });
  await pass(1_000);
  expect(await admit({ ...job, requests: 9, recipients: 9 }, { limits: slow })).toMatchObject({ granted: 1 });
});

test("a campaign's rate and its destination's are both held", async () => {
  const two = { ...NO_LIMITS, intervalMs: HOUR_MS, burst: 2 };
  const three = { ...NO_LIMITS, intervalMs: HOUR_MS, burst: 3 };
  const job = await newJob(10);
  expect(await admit(job, { campaignLimits: two, limits: three })).toMatchObject({
    granted: 2,
    wait: { lane: campaignLane('c'), reason: 'rate' },
  });
  await pass(HOUR_MS, campaignLane('c'));
  // The campaign may send one more, and the destination take one more.
  expect(await admit(job, { campaignLimits: two, limits: three })).toMatchObject({ granted: 1 });
  await pass(HOUR_MS, campaignLane('c'));
  expect(await admit(job, { campaignLimits: two, limits: three })).toMatchObject({
    granted: 0,
    wait: { lane: LANE },
  });
});

test('a batch counts with its recipients against a rate, and as one request against a concurrency', async () => {
  const limits = { intervalMs: HOUR_MS, burst: 100, concurrency: 2 };
  const batch = async (recipients: number) => ({ ...(await newJob(1)), recipients });
  expect(await admit(await batch(60), { limits })).toMatchObject({ granted: 1 });
  expect(await admit(await batch(60), { limits })).toMatchObject({ granted: 0, wait: { reason: 'rate' } });
  await pass(60 * HOUR_MS);
  // Larger than the burst: it goes when nothing else has gone for a while, and what follows waits for all of it.
  expect(await admit(await batch(200), { limits })).toMatchObject({ granted: 1 });
  await pass(101 * HOUR_MS);
  expect(await admit(await batch(1), { limits })).toMatchObject({
    granted: 0,
    wait: { reason: 'concurrency' },
  });
});

test('no more requests are in flight than allowed, until permits are given back or end by themselves', async () => {
  const limits = { ...NO_LIMITS, concurrency: 3 };
  const job = await newJob(5);
  const { permits, ...admission } = await admit(job, { limits });
  expect(admission).toMatchObject({ granted: 3, wait: { lane: LANE, reason: 'concurrency' } });
  await lanes.wait(pairOf('c'), admission.wait ?? BUSY, { ...job, requests: 2, recipients: 2 });
  expect(await lanes.giveBack(LANE, permits.slice(0, 1))).toBe(true);
  // Again, as a connection that lost the reply does.
  await lanes.giveBack(LANE, permits.slice(0, 1));
  expect(await admit({ ...job, requests: 2, recipients: 2 }, { limits })).toMatchObject({ granted: 1 });
  // Lowered: none until enough are back.
  expect(await admit(job, { limits: { ...limits, concurrency: 2 } })).toMatchObject({ granted: 0 });
  // The worker that had the others died long ago.
  for (const permit of permits) await connection.zadd(`{${prefix}}:waits:${LANE}:permits`, 'XX', 0, permit);
  expect(await admit(job, { limits })).toMatchObject({ granted: 2 });
  // Requests that were sent before there was a limit count too.
  expect(await admit(job, { limits: { ...limits, concurrency: 5 }, withoutPermit: 2 })).toMatchObject({
    granted: 0,
  });
});

test('what comes does not pass what waits for the same limit', async () => {
  const limits = { ...NO_LIMITS, intervalMs: HOUR_MS, burst: 1 };
  const first = await newJob(1);
  await admit(await newJob(1), { limits });
  const denied = await admit(first, { limits });
  await lanes.wait(pairOf('c'), denied.wait ?? BUSY, first);
  await pass(HOUR_MS);
  expect(await admit(await newJob(1, 'late'), { limits })).toMatchObject({ granted: 0 });
  await lanes.release(LANE, limits, 100);
  expect(await broughtBack()).toEqual([first.jobId]);
  expect(await admit(first, { limits })).toMatchObject({ granted: 1, wait: undefined });
  expect(await waiting()).toBe(0);
});

test('a small campaign that comes late does not wait behind all of a large one', async () => {
  for (let i = 0; i < 10; i += 1) await waitNew(10, 'large');
  await lanes.release(LANE, NO_LIMITS, 20);
  const small = await waitNew(10, 'small');
  await lanes.release(LANE, NO_LIMITS, 40);
  expect((await broughtBack()).slice(2)).toContain(small.jobId);
});

test('campaigns take turns while their jobs come back and are sent', async () => {
  for (let i = 0; i < 10; i += 1) await waitNew(10, 'large');
  for (let i = 0; i < 3; i += 1) await waitNew(10, 'small');
  const flows: string[] = [];
  for (let i = 0; i < 6; i += 1) {
    await lanes.release(LANE, NO_LIMITS, 1);
    const [jobId = ''] = await broughtBack();
    const { name: campaignId } = (await queue.getJob(jobId)) as Job;
    flows.push(campaignId);
    const job = { shard: 0, jobId };
    await lanes.begin(pairOf(campaignId), job);
    await lanes.leave(pairOf(campaignId), job);
    await queue.remove(jobId);
  }
  expect(flows.filter((campaignId) => campaignId === 'small')).toHaveLength(3);
});

test('while first attempts wait, three of four webhooks are first attempts', async () => {
  for (let i = 0; i < 60; i += 1) await waitNew(1, 'c', 2);
  for (let i = 0; i < 60; i += 1) await waitNew(1, 'c', 1);
  await lanes.release(LANE, NO_LIMITS, 40);
  const retries = new Set((await queue.getJobs(['delayed'])).map((job) => job.id));
  expect(await broughtBack()).toHaveLength(40);
  expect(retries.size).toBe(80);
  const places = await connection.zrange(`{${prefix}}:waits:${LANE}:order`, 0, '-1');
  expect(places.filter((place) => place.startsWith('c retries')).length).toBe(50);
});

test("a campaign's priority counts as soon as it is set, for what waits already too", async () => {
  const controls = openCampaignControls({ connection, prefix });
  for (let i = 0; i < 100; i += 1) await waitNew(1, 'one');
  for (let i = 0; i < 100; i += 1) await waitNew(1, 'other');
  const left = async () =>
    (await connection.zrange(`{${prefix}}:waits:${LANE}:order`, 0, '-1')).filter((place) =>
      place.startsWith('other'),
    ).length;
  let room = 0;
  const shareOfOther = async () => {
    const before = await left();
    room += 34;
    await lanes.release(LANE, NO_LIMITS, room);
    return before - (await left());
  };
  expect(await shareOfOther()).toBe(17);
  await controls.set('other', { priority: 'high' });
  expect(await shareOfOther()).toBeGreaterThanOrEqual(31);
  await controls.set('other', { priority: 'low' });
  expect(await shareOfOther()).toBeLessThanOrEqual(3);
});

test('nothing of a paused lane is released; a worker that does not know of the resume delays nothing', async () => {
  const circuits = openCircuits({ connection, prefix });
  await circuits.set(LANE, { state: 'paused', sinceMs: 1, why: 'operator' });
  const job = await waitNew(5);
  expect(await lanes.release(LANE, NO_LIMITS, 100)).toBeUndefined();
  await circuits.set(LANE, undefined);
  expect(await lanes.takeDue(10)).toEqual([LANE]);
  // Meanwhile it waits once more, for a pause that is over.
  await lanes.wait(pairOf('c'), { lane: LANE, reason: 'paused', lookInMs: 0 }, job);
  expect(Number(await connection.zscore(`{${prefix}}:waits`, LANE))).toBeLessThanOrEqual(Date.now() + 1_000);
  await lanes.release(LANE, NO_LIMITS, 100);
  expect(await broughtBack()).toEqual([job.jobId]);
});

test('an open circuit lets one probe go at its time, a first attempt before a retry', async () => {
  const circuits = openCircuits({ connection, prefix });
  const open = { state: 'open', sinceMs: 1, why: 'timeout', cooldownMs: 5_000 } as const;
  const later = { ...open, probeAtMs: Date.now() + HOUR_MS };
  await circuits.set(LANE, later);
  const retry = await waitNew(1, 'c', 2);
  const fresh = await waitNew(25, 'c');
  await lanes.release(LANE, NO_LIMITS, 100);
  expect(await broughtBack()).toEqual([]);
  await circuits.set(LANE, { ...open, probeAtMs: 1 });
  await lanes.release(LANE, NO_LIMITS, 100);
  await lanes.release(LANE, NO_LIMITS, 100);
  expect(await broughtBack()).toEqual([fresh.jobId]);
  expect(await admit(retry)).toMatchObject({ granted: 0, wait: { reason: 'circuit' } });
  expect(await admit(fresh)).toMatchObject({ granted: 1, isProbe: true, wait: { reason: 'circuit' } });
  // It was the only one.
  expect(await admit(fresh)).toMatchObject({ granted: 0, isProbe: false });
});

test('a lane in which something waits is due at once', async () => {
  const job = await newJob(1);
  for (let i = 0; i < 100; i += 1) {
    const lane = `channel:${i}`;
    await lanes.wait({ campaign: campaignLane('c'), destination: lane }, { ...BUSY, lane }, job);
    expect(await lanes.takeDue(1_000)).toContain(lane);
  }
});

test('of many workers one looks at each lane that is due', async () => {
  for (let i = 0; i < 20; i += 1) {
    const job = await newJob(1);
    const lane = `channel:${i}`;
    await lanes.wait({ campaign: campaignLane('c'), destination: lane }, { ...BUSY, lane }, job);
  }
  const taken = await Promise.all(Array.from({ length: 5 }, () => lanes.takeDue(10)));
  expect(taken.flat()).toHaveLength(20);
  expect(new Set(taken.flat()).size).toBe(20);
});

// What a fleet does to a lane, in any order.
const STEP = fc.oneof(
  fc.record({ kind: fc.constant('wait' as const), job: fc.nat(7), lookInMs: fc.nat(60_000) }),
  fc.record({ kind: fc.constant('admit' as const), job: fc.nat(7), concurrency: fc.nat(3) }),
  fc.record({ kind: fc.constant('begin' as const), job: fc.nat(7) }),
  fc.record({ kind: fc.constant('leave' as const), job: fc.nat(7) }),
  fc.record({
    kind: fc.constant('release' as const),
    room: fc.nat(20),
    intervalMs: fc.constantFrom(0, 1_000),
  }),
  fc.record({ kind: fc.constantFrom('pause' as const, 'close' as const, 'open' as const) }),
);

test('whatever happens, each job that waits has a time at which somebody looks at it, and the counts are right', async () => {
  const circuits = openCircuits({ connection, prefix });
  let rounds = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 25 }), async (steps) => {
      rounds += 1;
      const lane = `channel:p${rounds}`;
      const pair = { campaign: campaignLane('c'), destination: lane };
      const key = (part: string) => `{${prefix}}:waits:${lane}:${part}`;
      const jobOf = (n: number): LaneJob => ({
        shard: 0,
        jobId: `p_${rounds}_${n}`,
        flow: n % 3 === 0 ? 'c retries' : `c${n % 2}`,
        requests: n + 1,
        recipients: n + 1,
      });
      for (const step of steps) {
        switch (step.kind) {
          case 'wait': {
            const job = jobOf(step.job);
            await queue.add('c', {}, { jobId: job.jobId, delay: HOUR_MS });
            await lanes.wait(pair, { ...BUSY, lane, lookInMs: step.lookInMs }, job);
            break;
          }
          case 'admit':
            await lanes.admit({
              lanes: pair,
              job: jobOf(step.job),
              wanted: step.job + 1,
              campaignLimits: NO_LIMITS,
              limits: { ...NO_LIMITS, concurrency: step.concurrency },
              withoutPermit: 0,
            });
            break;
          case 'begin':
            await lanes.begin(pair, jobOf(step.job));
            break;
          case 'leave':
            await lanes.leave(pair, jobOf(step.job));
            break;
          case 'release':
            await lanes.release(lane, { ...NO_LIMITS, intervalMs: step.intervalMs, burst: 2 }, step.room);
            break;
          case 'pause':
            await circuits.set(lane, { state: 'paused', sinceMs: 1, why: 'operator' });
            break;
          case 'open':
            await circuits.set(lane, {
              state: 'open',
              sinceMs: 1,
              why: 'x',
              probeAtMs: Date.now(),
              cooldownMs: 1,
            });
            break;
          case 'close':
            await circuits.set(lane, undefined);
        }
        const [order, released, entries, due, circuit, out] = await Promise.all([
          connection.zcard(key('order')),
          connection.zrange(key('released'), 0, '-1'),
          connection.hgetall(key('jobs')),
          connection.zscore(`{${prefix}}:waits`, lane),
          circuits.get(lane),
          connection.hmget(key('state'), 'outRequests', 'outRecipients'),
        ]);
        if (circuit?.state !== 'paused' && order + released.length > 0) expect(due).not.toBeNull();
        const recipientsOf = (entry = '') => Number(entry.split(' ')[2] ?? 0);
        const sum = Object.values(entries).reduce((total, entry) => total + recipientsOf(entry), 0);
        const counted = (await readWaiting(connection, prefix)).get(lane)?.webhooks ?? 0;
        expect(counted).toBe(sum);
        const outRecipients = released.reduce((total, job) => total + recipientsOf(entries[job]), 0);
        expect(Number(out[1] ?? 0)).toBe(outRecipients);
      }
    }),
    { numRuns: 60 },
  );
});

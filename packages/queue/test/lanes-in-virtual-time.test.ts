/** Admission over hours of virtual time: limits are exact, nothing is stuck, and rates are used. Takes about 8 s. */
import { beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { campaignLane, type RedisConnection } from '../src/index.ts';
import { testServer } from './setup-queue.ts';
import { NO_LIMITS, VirtualFleet, type VirtualFleetOptions } from './virtual-fleet.ts';

const CAMPAIGNS = ['a', 'b', 'c'];
const LANES = ['channel:1', 'channel:2'];

const server = testServer();
let connection: RedisConnection;
let runs = 0;

beforeEach(() => {
  ({ connection } = server);
});

function newFleet(options: Pick<VirtualFleetOptions, 'workers' | 'slots' | 'latencyMs'>): VirtualFleet {
  runs += 1;
  return new VirtualFleet({ connection, prefix: `v${runs}`, ...options });
}

// With retries, batches, and more than a worker has slots for.
const JOB = fc.record({
  campaignId: fc.constantFrom(...CAMPAIGNS),
  lane: fc.constantFrom(...LANES),
  requests: fc.integer({ min: 1, max: 30 }),
  recipients: fc.constantFrom(1, 1, 1, 3),
  isRetry: fc.boolean(),
});

const LIMITS = fc.record({
  intervalMs: fc.constantFrom(0, 20, 250, 5_000),
  burst: fc.integer({ min: 1, max: 20 }),
  concurrency: fc.constantFrom(0, 0, 1, 7),
});

const STEP = fc.record({
  afterMs: fc.constantFrom(0, 1, 40, 300, 2_000, 40_000),
  what: fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('enqueue' as const), job: JOB }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('limits' as const),
        lane: fc.constantFrom(...LANES, ...CAMPAIGNS.map(campaignLane)),
        limits: LIMITS,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('pause' as const),
        lane: fc.constantFrom(...LANES, ...CAMPAIGNS.map(campaignLane)),
        isPaused: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('kill' as const),
        worker: fc.nat(2),
        when: fc.constantFrom('now' as const, 'before it brings back what it releases next' as const),
      }),
    },
  ),
});

test('whatever happens, limits are exact, what is paused is not sent, and in the end all is sent', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(STEP, { minLength: 5, maxLength: 30 }),
      fc.constantFrom(5, 120, 900),
      async (steps, latencyMs) => {
        const fleet = newFleet({ workers: 3, slots: 10, latencyMs });
        for (const { afterMs, what } of steps) {
          await fleet.run(afterMs);
          if (what.kind === 'enqueue') await fleet.enqueue(what.job);
          else if (what.kind === 'pause') await fleet.setPaused(what.lane, what.isPaused);
          else if (what.kind === 'kill') fleet.kill(what.worker, what.when);
          else {
            // A campaign limits no requests in flight.
            const isCampaign = what.lane.startsWith('campaign:');
            fleet.setLimits(what.lane, { ...what.limits, ...(isCampaign && { concurrency: 0 }) });
          }
        }
        for (const lane of [...LANES, ...CAMPAIGNS.map(campaignLane)]) {
          fleet.setLimits(lane, NO_LIMITS);
          await fleet.setPaused(lane, false);
        }
        // As long as a dead worker's lock and permits last, and what is left then takes.
        await fleet.run(60_000);
        expect(fleet.left()).toBe(0);
        await fleet.close();
      },
    ),
    { numRuns: 25 },
  );
});

test.each([
  [1, 1],
  [10, 1],
  [100, 1],
  [50, 20],
  [500, 50],
])('a backlog of a limited lane goes at %d a second, within 1 %%', async (perSecond, burst) => {
  const fleet = newFleet({ workers: 2, slots: 200, latencyMs: 100 });
  const limits = { intervalMs: 1_000 / perSecond, burst, concurrency: 0 };
  fleet.setLimits('channel:1', limits);
  const seconds = Math.max(10, 200 / perSecond);
  for (let i = 0; i < (perSecond * (seconds + 2)) / 25; i += 1)
    await fleet.enqueue({
      campaignId: 'a',
      lane: 'channel:1',
      requests: 25,
      recipients: 1,
      isRetry: false,
    });
  const sentAtFirst = fleet.sent.length;
  expect(sentAtFirst).toBeLessThanOrEqual(burst);
  await fleet.run(1_000);
  const before = fleet.sent.length;
  await fleet.run(seconds * 1_000);
  const sent = fleet.sent.length - before;
  // Of a small rate, one webhook is more than 1 %.
  expect(Math.abs(sent - perSecond * seconds)).toBeLessThanOrEqual(Math.max(2, perSecond * seconds * 0.01));
  await fleet.close();
});

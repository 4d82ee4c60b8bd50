/** What the lane scheduler knows of circuits, and in which order it learns it. Takes under a second. */
import { expect, test } from '@jest/globals';
import { type Circuit, campaignLane } from '@hookfleet/queue';
import { eventually } from '@hookfleet/testkit';
import { NO_LIMITS } from './lane-limits.ts';
import { createLaneScheduler, type LaneSchedulerOptions } from './lane-scheduler.ts';

// Redis is not real here: what is promised is an order between two of its answers, which it gives only by chance.
test('a lane that is open again is seen only with the controls of after, for its campaign may be called off', async () => {
  const lane = campaignLane('called-off');
  const paused: Circuit = { state: 'paused', sinceMs: 0, why: 'operator' };
  let stored = new Map([[lane, paused]]);
  let reads = 0;
  let controls = Promise.resolve();
  const scheduler = createLaneScheduler({
    circuits: {
      async all() {
        reads += 1;
        return stored;
      },
    } as unknown as LaneSchedulerOptions['circuits'],
    lanes: { claimDue: async () => [] } as unknown as LaneSchedulerOptions['lanes'],
    slots: { isCongested: () => false, isSupplied: () => false, evictCongested: () => undefined },
    limitsOf: () => Promise.reject(new Error('no lane is released here')),
    refreshControls: () => controls,
    onCircuitChanged: () => undefined,
    onError: (error) => {
      throw error;
    },
    now: Date.now,
    lookEveryMs: 20,
  });
  const mustWait = () => scheduler.mustWait(lane, NO_LIMITS, true);
  await eventually(() => expect(mustWait()).toBe(true));

  const { promise, resolve } = Promise.withResolvers<void>();
  controls = promise;
  stored = new Map();
  const before = reads;
  await eventually(() => expect(reads).toBeGreaterThan(before));
  expect(mustWait()).toBe(true);
  resolve();
  await eventually(() => expect(mustWait()).toBe(false));
  await scheduler.stop();
});

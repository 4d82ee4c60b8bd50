/** A worker that takes nothing while webhooks wait reports itself as unhealthy. Takes under a second. */
import { expect, test } from '@jest/globals';
import { createConsumptionCheck, STUCK_AFTER_MS } from './consumption-check.ts';

const NOW_MS = 1_000_000_000;

function check(facts: { idleMs: number; waiting?: number | 'unknown'; inFlight?: number }) {
  const { idleMs, waiting = 0, inFlight = 0 } = facts;
  return createConsumptionCheck({
    lastProgressAt: () => NOW_MS - idleMs,
    inFlight: () => inFlight,
    concurrency: 10,
    waitingJobs: async () => {
      if (waiting === 'unknown') throw new Error('Connection is closed.');
      return waiting;
    },
    now: () => NOW_MS,
  })();
}

test('a worker that takes nothing while webhooks wait is unhealthy, and says for how long', async () => {
  expect(await check({ idleMs: 45_000, waiting: 3 })).toBe('3 jobs wait, and none was taken for 45 s');
});

test.each([
  ['nothing waits', { idleMs: STUCK_AFTER_MS * 10 }],
  ['it took something a moment ago', { idleMs: STUCK_AFTER_MS - 1, waiting: 1_000 }],
  ['all its slots are in flight', { idleMs: STUCK_AFTER_MS * 10, waiting: 1_000, inFlight: 10 }],
  ['Redis is away: a restart would mend nothing', { idleMs: STUCK_AFTER_MS * 10, waiting: 'unknown' }],
] as const)('a worker is healthy where %s', async (_what, facts) => {
  expect(await check(facts)).toBeUndefined();
});

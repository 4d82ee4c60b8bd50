/** An aggregator that counts nothing while results wait reports itself as unhealthy. Takes under a second. */
import { expect, test } from '@jest/globals';
import { createConsumptionCheck, STUCK_AFTER_MS } from './consumption-check.ts';

const NOW_MS = 1_000_000_000;

function check(facts: { waitingForMs: number | undefined; idleMs: number }) {
  const { waitingForMs, idleMs } = facts;
  return createConsumptionCheck({
    lastProgressAt: () => NOW_MS - idleMs,
    resultsWaitSinceMs: () => (waitingForMs === undefined ? undefined : NOW_MS - waitingForMs),
    now: () => NOW_MS,
  })();
}

test('an aggregator that counts nothing while results wait is unhealthy, and says for how long', () => {
  expect(check({ waitingForMs: 40_000, idleMs: 50_000 })).toBe('results wait, and none was counted for 40 s');
});

test.each([
  ['no results wait', { waitingForMs: undefined, idleMs: STUCK_AFTER_MS * 10 }],
  ['results came a moment ago, after a quiet hour', { waitingForMs: 1_000, idleMs: 3_600_000 }],
  ['it counted something a moment ago', { waitingForMs: 3_600_000, idleMs: 1_000 }],
])('an aggregator is healthy where %s', (_what, facts) => {
  expect(check(facts)).toBeUndefined();
});

/** The CLI reports each problem of a Redis, and none for a healthy one. Takes under a second. */
import { expect, test } from '@jest/globals';
import type { RedisFacts } from '@hookfleet/queue';
import { redisFindings, workersFinding } from './findings.ts';

const WELL: RedisFacts = {
  node: '10.0.0.1:6379',
  version: '7.0.15',
  role: 'master',
  evictionPolicy: 'noeviction',
  usedBytes: 10,
  limitBytes: 100,
  appendOnly: true,
  lastWriteFailed: false,
  appendFsync: 'everysec',
  snapshots: false,
  latencyMs: { median: 0.2, longest: 3 },
  clockAheadMs: 3,
};

const states = (facts: Partial<RedisFacts>) =>
  Object.fromEntries(
    redisFindings({ ...WELL, ...facts })
      .filter(({ state }) => state !== 'ok')
      .map(({ about, state }) => [about.split(' ').at(-1), state]),
  );

test('a Redis that is well has nothing to mend', () => {
  expect(redisFindings(WELL).filter(({ mend }) => mend !== undefined)).toEqual([]);
});

test.each<[Partial<RedisFacts>, Record<string, string>]>([
  [{ version: '6.0.20' }, { version: 'wrong' }],
  [{ version: '6.2.0' }, {}],
  [{ role: 'slave' }, { version: 'wrong' }],
  [{ evictionPolicy: 'allkeys-lru' }, { 'maxmemory-policy': 'wrong' }],
  [{ evictionPolicy: undefined }, { 'maxmemory-policy': 'unknown' }],
  [{ limitBytes: 0 }, { memory: 'doubtful' }],
  [{ usedBytes: 80 }, { memory: 'doubtful' }],
  [{ appendOnly: false }, { persistence: 'wrong' }],
  [{ appendOnly: false, snapshots: true }, { persistence: 'doubtful' }],
  // Where Redis doesn't tell whether it takes snapshots, nobody can say that it keeps nothing.
  [{ appendOnly: false, snapshots: undefined }, { persistence: 'doubtful' }],
  [{ appendFsync: 'no' }, { persistence: 'doubtful' }],
  [{ lastWriteFailed: true }, { persistence: 'wrong' }],
  [{ latencyMs: { median: 5, longest: 9 } }, { latency: 'doubtful' }],
  [{ latencyMs: { median: 100, longest: 900 } }, { latency: 'wrong' }],
  [{ clockAheadMs: -500 }, { clock: 'doubtful' }],
  [{ clockAheadMs: 5_000 }, { clock: 'wrong' }],
])('%j is %j', (facts, expected) => {
  expect(states(facts)).toEqual(expected);
  for (const { state, mend } of redisFindings({ ...WELL, ...facts }))
    if (state !== 'ok') expect(mend).toMatch(/./);
});

test.each([
  [[], 'wrong', /none has reported/],
  [[{ clockAheadMs: 0 }, {}], 'ok', /^2, with 300 attempts/],
  [
    [{ clockAheadMs: 120_000 }, { clockAheadMs: -100 }],
    'wrong',
    /^the clock of worker-0 is 2 min 00 s ahead$/,
  ],
  [[{ clockAheadMs: -6_000 }], 'wrong', /^the clock of worker-0 is 6\.0 s behind$/],
])('of the workers %j it finds %s', (clocks, state, found) => {
  const workers = clocks.map((clock, i) => ({
    workerId: `worker-${i}`,
    concurrency: 150,
    inFlight: 0,
    attemptsPerSecond: 0,
    ...clock,
  }));
  expect(workersFinding({ workers, concurrency: 300 })).toMatchObject({
    state,
    found: expect.stringMatching(found),
  });
});

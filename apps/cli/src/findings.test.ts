/** The CLI reports each problem of a Redis and of the lanes, and none if all is well. Takes under a second. */
import { expect, test } from '@jest/globals';
import type { RedisFacts } from '@hookfleet/queue';
import { lanesFindings, redisFindings, workersFinding } from './findings.ts';

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

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');
const lane = (state: string, why: string, minutes: number, parkedWebhooks: number) => ({
  channelConfigId: 'crm',
  circuit: { state, why, since: new Date(NOW_MS - minutes * 60_000).toISOString() },
  parkedWebhooks,
});

test.each([
  [
    'an open circuit behind which webhooks wait',
    lane('open', 'timeout', 1, 27_648),
    'wrong',
    /^fails \(timeout\) for 1 min 00 s: 27,648 webhooks wait$/,
  ],
  ['an open circuit behind which none wait', lane('open', 'timeout', 1, 0), 'ok', /none/],
  [
    'a pause of a minute',
    lane('paused', 'operator', 1, 1),
    'doubtful',
    /^paused \(operator\) for 1 min 00 s: 1 webhook waits$/,
  ],
  ['a pause of an hour', lane('paused', 'operator', 60, 5), 'wrong', /1 h 00 min/],
  ['a destination that is gone', lane('paused', 'gone', 1, 5), 'wrong', /gone/],
  ['a destination that answers', { ...lane('closed', '', 1, 5), circuit: { state: 'closed' } }, 'ok', /none/],
])('%s: %j is %s', (_what, one, state, found) => {
  expect(lanesFindings({ lanes: [one] }, NOW_MS)).toEqual([
    expect.objectContaining({ state, found: expect.stringMatching(found) }),
  ]);
});

test('of many lanes that are held back the first are named, and the others counted', () => {
  const lanes = Array.from({ length: 300 }, () => lane('open', 'timeout', 1, 1));
  expect(lanesFindings({ lanes }, NOW_MS).at(-1)).toMatchObject({
    state: 'wrong',
    found: '280 more are held back',
  });
});

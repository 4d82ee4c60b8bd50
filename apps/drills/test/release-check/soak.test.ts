/**
 * A short soak names memory, sockets and keys that one worker of two leaks, and nothing else: it sees a leak, and the
 * fleet itself has none of that size.
 * Takes about 73 s.
 */
import { beforeAll, expect, test } from '@jest/globals';
import { runSoak, type SoakReport } from '../../src/soak/run-soak.ts';

// A small part of what the machine can do: other tests run beside this one.
const PER_SECOND = 150;

let report: SoakReport;

beforeAll(async () => {
  report = await runSoak({
    warmUpMs: 6_000,
    loadMs: 24_000,
    restMs: 10_000,
    restAfterMs: 20_000,
    sampleEveryMs: 1_000,
    campaignMs: 1_000,
    perSecond: PER_SECOND,
    lastWorkerOptions: `--import ${new URL('plant-leak.ts', import.meta.url).href}`,
    onProgress: () => undefined,
  });
}, 600_000);

test('memory and sockets that a process does not give back are named with the process, and no other is named', () => {
  const inProcesses = report.leaks.filter(({ where }) => where !== 'Redis');
  expect(new Set(inProcesses.map(({ where }) => where))).toEqual(new Set(['worker 2']));
  const found = new Set(inProcesses.map(({ what }) => what));
  expect(found).toEqual(new Set(['heapBytes', 'handles', 'sockets']));
});

test('keys that nobody takes away are named, and every other key is of a family with a bound, and within it', () => {
  const inRedis = report.leaks.filter(({ where }) => where === 'Redis');
  expect(inRedis).toEqual([
    {
      where: 'Redis',
      what: 'no family',
      how: expect.stringMatching(/^\{hookfleet\}:planted:\d+ and \d+ more: is of no family that is known$/),
    },
  ]);
});

test('all that was accepted has ended, and the load went through everything that a webhook can', () => {
  expect(report.delivered + report.failed).toBe(report.accepted);
  expect(report.failed).toBeGreaterThan(0);
  const kept = new Set(report.census.families.map(({ family }) => family));
  for (const family of [
    'attempt log',
    'dead letters',
    'idempotency keys',
    'counters of a campaign',
    'channels',
  ])
    expect([family, kept.has(family)]).toEqual([family, true]);
});

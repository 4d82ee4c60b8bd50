/**
 * A circuit opens when a destination fails, stays closed while it answers a fair share of first attempts, and notices a
 * recovery within 10 s: a fleet of workers in virtual time. Takes about 2 s.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  heldByShare,
  heldTable,
  seededRandom,
  type SimulatedWebhook,
  simulateCircuit,
} from './simulate-circuit.ts';

const fleets = fc.record({
  workers: fc.integer({ min: 1, max: 5 }),
  perSecond: fc.integer({ min: 1, max: 20 }),
  latencyMs: fc.integer({ min: 5, max: 1_500 }),
  random: fc.integer().map(seededRandom),
});

test('a destination that answers half of its first attempts is held back for less than a twentieth of the time', () => {
  const mixes = fc.record({
    p: fc.double({ min: 0.5, max: 1, noNaN: true }),
    /** Of what fails: never answered, however often it is retried. */
    permanent: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fleets, mixes, (fleet, { p, permanent }) => {
      const fates = new Map<number, boolean>();
      const answers = ({ number, attempt }: SimulatedWebhook) => {
        if (attempt > 1 && fates.get(number) === true) return false;
        const succeeds = fleet.random() < p;
        if (attempt === 1 && !succeeds) fates.set(number, fleet.random() < permanent);
        return succeeds;
      };
      expect(simulateCircuit({ ...fleet, seconds: 600, answers }).shareHeld).toBeLessThan(0.05);
    }),
    { numRuns: 25 },
  );
});

test('a dead destination gets one probe per interval, from however many workers', () => {
  fc.assert(
    fc.property(fleets, (fleet) => {
      const { openedAtMs, closedAtMs, probes } = simulateCircuit({
        ...fleet,
        seconds: 600,
        answers: () => false,
      });
      expect(openedAtMs).toHaveLength(1);
      expect(closedAtMs).toEqual([]);
      // A first attempt waits always: it is the probe.
      expect(probes.every(({ attempt }) => attempt === 1)).toBe(true);
      const times = [...openedAtMs, ...probes.map(({ atMs }) => atMs)];
      const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] as number));
      for (const [i, gapMs] of gaps.entries()) {
        expect(gapMs).toBeGreaterThanOrEqual([2_500, 5_000][i] ?? 9_000);
        // Until the probe has failed, and until somebody looks.
        expect(gapMs).toBeLessThanOrEqual(9_000 + fleet.latencyMs + 1_000);
      }
    }),
    { numRuns: 10 },
  );
});

test('a recovery is noticed within ten seconds', () => {
  const outages = fc.record({
    fromMs: fc.integer({ min: 0, max: 60_000 }),
    moreMs: fc.integer({ min: 0, max: 300_000 }),
  });
  fc.assert(
    fc.property(fleets, outages, (fleet, { fromMs, moreMs }) => {
      const { workers, perSecond, latencyMs } = fleet;
      // One of the workers sees thirty failures by then, however they share the webhooks: else nothing opens.
      const seenWithinMs = ((30 * workers) / perSecond) * 1_000 + latencyMs;
      const untilMs = fromMs + Math.max(60_000, seenWithinMs) + moreMs;
      // It goes on refusing what it refused while it was down: those retries tell nothing.
      const answers = ({ attempt }: SimulatedWebhook, nowMs: number) =>
        attempt === 1 && (nowMs < fromMs || nowMs >= untilMs);
      const { openedAtMs, closedAtMs } = simulateCircuit({ ...fleet, seconds: 600, answers });
      expect(openedAtMs.length).toBe(1);
      expect(closedAtMs.length).toBe(1);
      expect(closedAtMs[0]).toBeLessThanOrEqual(untilMs + 10_000 + fleet.latencyMs);
    }),
    { numRuns: 15 },
  );
});

test('permanent failures and their retries do not hold back what the destination accepts', () => {
  // 70 % 200, 18 % 422, and 12 % that get a 500 at each attempt.
  const answers = ({ number }: SimulatedWebhook) => number % 100 < 88;
  const fleet = { workers: 3, perSecond: 20, seconds: 900, latencyMs: 100, random: seededRandom(1) };
  expect(simulateCircuit({ ...fleet, answers }).openedAtMs).toEqual([]);
});

test('the less a destination answers, the more it is held back', () => {
  const fleet = { workers: 2, perSecond: 10, seconds: 900, latencyMs: 100, random: seededRandom(1) };
  const rows = heldByShare([0, 0.05, 0.1, 0.2, 0.3, 0.5], fleet);
  expect(`\n${heldTable(rows)}`).toBe(`
  succeed     held   opened
      0 %   99.4 %        1
      5 %   96.8 %        7
     10 %   76.5 %       13
     20 %   36.8 %        4
     30 %    0.0 %        0
     50 %    0.0 %        0`);
});

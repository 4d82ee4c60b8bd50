/**
 * A circuit opens when a destination fails, stays closed while it answers a fair share of first attempts, and notices a
 * recovery within 10 s: the decisions by themselves, and a fleet of workers in virtual time. Takes about 2 s.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  heldByShare,
  heldTable,
  seededRandom,
  type SimulatedWebhook,
  simulateCircuit,
} from '../test/simulate-circuit.ts';
import {
  afterProbe,
  circuitAfter,
  type Evidence,
  evidenceAfter,
  isFailure,
  type OpenCircuit,
  opened,
  probing,
  shouldOpen,
} from './circuit-breaker.ts';

const FIRST_FAILED = { failed: true, isFirstAttempt: true, retryAfterMs: undefined };
const FIRST_ANSWERED = { ...FIRST_FAILED, failed: false };
const RETRY_FAILED = { ...FIRST_FAILED, isFirstAttempt: false };

/** One attempt every 200 ms, from time 0 on. */
function evidenceOf(attempts: readonly Parameters<typeof evidenceAfter>[1][]): {
  evidence: Evidence | undefined;
  nowMs: number;
} {
  let evidence: Evidence | undefined;
  for (const [i, attempt] of attempts.entries()) evidence = evidenceAfter(evidence, attempt, i * 200);
  return { evidence, nowMs: (attempts.length - 1) * 200 };
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test.each([
  ['webhook.delivered', 200, false],
  ['webhook.bounced', 503, true],
  ['webhook.bounced', undefined, true],
  ['webhook.error', 429, true],
  ['webhook.error', 404, false],
  ['webhook.error', 302, false],
] as const)('%s with status %s: does the destination fail? %s', (event, statusCode, failed) => {
  expect(isFailure(statusCode === undefined ? { event } : { event, statusCode })).toBe(failed);
});

test('a circuit opens after thirty failed first attempts that last three seconds, and not before', () => {
  const isOpenAfter = (failures: number, forMs: number) => {
    let evidence: Evidence | undefined;
    for (let i = 0; i < failures; i += 1)
      evidence = evidenceAfter(evidence, FIRST_FAILED, (i * forMs) / (failures - 1));
    return evidence !== undefined && shouldOpen(evidence, forMs);
  };
  expect(isOpenAfter(30, 3_000)).toBe(true);
  expect(isOpenAfter(29, 60_000)).toBe(false);
  expect(isOpenAfter(500, 2_999)).toBe(false);
});

test('retries are no evidence, neither for nor against a destination', () => {
  const { evidence } = evidenceOf(times(500, RETRY_FAILED));
  expect(evidence).toBeUndefined();
  const failing = evidenceOf(times(30, FIRST_FAILED));
  const retryAnswered = { ...RETRY_FAILED, failed: false };
  expect(evidenceAfter(failing.evidence, retryAnswered, failing.nowMs)).toBe(failing.evidence);
  const retry = { ...RETRY_FAILED, wasProbe: false, why: 'http_5xx' };
  expect(circuitAfter(undefined, retry, failing.evidence, failing.nowMs)).toBe('unchanged');
});

test('a streak of failures counts from its first one, and ends after nine answers at most', () => {
  const quiet = evidenceAfter(evidenceAfter(undefined, FIRST_ANSWERED, 0), FIRST_FAILED, 60_000);
  expect(quiet).toMatchObject({ score: 1, healthyAtMs: 60_000 });
  const recovered = evidenceOf([...times(1_000, FIRST_FAILED), ...times(9, FIRST_ANSWERED)]);
  expect(recovered.evidence).toMatchObject({ score: 0, healthyAtMs: recovered.nowMs });
});

test('the time between probes doubles with each first attempt that fails, up to nine seconds; a retry leaves it', () => {
  let circuit: OpenCircuit | undefined = opened('timeout', 0, undefined);
  const waits: number[] = [];
  for (const end of [RETRY_FAILED, FIRST_FAILED, RETRY_FAILED, FIRST_FAILED, FIRST_FAILED]) {
    waits.push((circuit as OpenCircuit).probeAtMs);
    circuit = afterProbe(circuit as OpenCircuit, end, 0);
  }
  waits.push((circuit as OpenCircuit).probeAtMs);
  expect(waits).toEqual([2_500, 2_500, 5_000, 5_000, 9_000, 9_000]);
});

test('a probe that succeeds closes the circuit, be it a retry; what was under way before changes nothing', () => {
  const circuit = opened('timeout', 0, undefined);
  const retryAnswered = { ...RETRY_FAILED, failed: false, why: 'delivered' };
  expect(circuitAfter(circuit, { ...retryAnswered, wasProbe: true }, undefined, 0)).toBeUndefined();
  expect(circuitAfter(circuit, { ...retryAnswered, wasProbe: false }, undefined, 0)).toBe('unchanged');
});

test("the next probe waits for the destination's last Retry-After, five minutes at most", () => {
  const probeAfter = (retryAfterMs: number) =>
    afterProbe(opened('', 0, undefined), { ...FIRST_FAILED, retryAfterMs }, 0);
  expect(probeAfter(60_000)?.probeAtMs).toBe(60_000);
  expect(probeAfter(0)?.probeAtMs).toBe(5_000);
  expect(probeAfter(86_400_000)?.probeAtMs).toBe(300_000);
  // Of the failures that open the circuit too: the last one may bring none.
  const asked = { ...FIRST_FAILED, retryAfterMs: 30_000 };
  const { evidence, nowMs } = evidenceOf([...times(30, FIRST_FAILED), asked, FIRST_FAILED]);
  const end = { ...FIRST_FAILED, wasProbe: false, why: 'http_4xx' };
  expect(circuitAfter(undefined, end, evidence, nowMs)).toMatchObject({ probeAtMs: nowMs - 200 + 30_000 });
});

test('what an attempt that is no probe is asked for counts too, and is remembered by the circuit', () => {
  const other = { ...FIRST_FAILED, wasProbe: false, why: 'http_4xx' };
  const circuit = opened('http_5xx', 0, undefined);
  const asked = circuitAfter(circuit, { ...other, retryAfterMs: 60_000 }, undefined, 100) as OpenCircuit;
  expect(asked).toMatchObject({ probeAtMs: 60_100, askedUntilMs: 60_100 });
  // A request for the same time changes nothing, nor does one that is over sooner.
  for (const retryAfterMs of [60_000, 1_000, undefined])
    expect(circuitAfter(asked, { ...other, retryAfterMs }, undefined, 200)).toBe('unchanged');
  // A probe that was under way meanwhile, and was asked for nothing, brings the next one no nearer.
  const failedProbe = { ...other, wasProbe: true };
  expect(circuitAfter(asked, failedProbe, undefined, 300)).toMatchObject({ probeAtMs: 60_100 });
  // When the time is over, the interval counts again.
  expect(circuitAfter(asked, failedProbe, undefined, 60_200)).toMatchObject({ probeAtMs: 65_200 });
});

test('while a probe is under way no other is due, unless it takes longer than the longest interval', () => {
  expect(probing(opened('timeout', 0, undefined), 2_500)).toMatchObject({
    probeAtMs: 11_500,
    cooldownMs: 2_500,
  });
});

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

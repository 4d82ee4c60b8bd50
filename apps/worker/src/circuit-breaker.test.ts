/** When a circuit opens, is probed and closes: each decision by itself. In a fleet: test/circuits.test.ts. Takes under a second. */
import { expect, test } from '@jest/globals';
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

test('a failed first attempt opens a circuit once the evidence is enough, whatever the time of day', () => {
  const end = { ...FIRST_FAILED, wasProbe: false, why: 'http_5xx' };
  const evidence = { score: 30, healthyAtMs: 1_000_000, retryAtMs: 0 };
  expect(circuitAfter(undefined, end, evidence, 1_002_999)).toBe('unchanged');
  expect(circuitAfter(undefined, end, { ...evidence, score: 29 }, 1_003_000)).toBe('unchanged');
  expect(circuitAfter(undefined, end, undefined, 1_003_000)).toBe('unchanged');
  expect(circuitAfter(undefined, end, evidence, 1_003_000)).toEqual({
    state: 'open',
    sinceMs: 1_003_000,
    why: 'http_5xx',
    probeAtMs: 1_005_500,
    cooldownMs: 2_500,
  });
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

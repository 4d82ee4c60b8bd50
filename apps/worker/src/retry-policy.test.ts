/** Retry delays follow the policy, its jitter, its total time and Retry-After. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_RETRY_POLICY, RETRY_AFTER_MAX_MS, retryDelayMs } from './retry-policy.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 10, 0, 0);
const input = {
  attempt: 1,
  policy: undefined,
  dueAtMs: NOW_MS,
  retryAfter: undefined,
  nowMs: NOW_MS,
  random: 0.5,
};

test('without a policy of its own a webhook has eight attempts, at the documented distances', () => {
  const delays = Array.from({ length: 8 }, (_, i) => retryDelayMs({ ...input, attempt: i + 1 }));
  expect(delays).toEqual([2_000, 10_000, 60_000, 300_000, 1_800_000, 7_200_000, 21_600_000, undefined]);
});

test('a delay is spread by its jitter, and by no more', () => {
  const policies = fc.record({
    delaysMs: fc.array(fc.integer({ min: 0, max: 604_800_000 }), { minLength: 1, maxLength: 50 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(
      policies,
      fc.nat(60),
      fc.double({ min: 0, max: 0.999999, noNaN: true }),
      (policy, before, random) => {
        const delay = retryDelayMs({ ...input, policy, attempt: before + 1, random });
        const base = policy.delaysMs[before];
        if (base === undefined) return expect(delay).toBeUndefined();
        expect(delay).toBeGreaterThanOrEqual(Math.round(base * (1 - policy.jitter)));
        expect(delay).toBeLessThanOrEqual(Math.round(base * (1 + policy.jitter)));
      },
    ),
  );
});

test('jitter takes all of its range: a fifth by default, of the delay itself', () => {
  const delayAt = (random: number, policy?: { delaysMs: number[]; jitter: number }) =>
    retryDelayMs({ ...input, policy, random });
  expect([0, 0.25, 0.75, 1].map((random) => delayAt(random))).toEqual([1_600, 1_800, 2_200, 2_400]);
  expect([0, 0.5, 1].map((random) => delayAt(random, { delaysMs: [1_000], jitter: 1 }))).toEqual([
    0, 1_000, 2_000,
  ]);
  expect([0, 1].map((random) => delayAt(random, { delaysMs: [1_000], jitter: 0 }))).toEqual([1_000, 1_000]);
});

test("no attempt begins after the policy's total time, whatever the schedule, its jitter or Retry-After say", () => {
  const schedule = fc.record({
    delaysMs: fc.array(fc.integer({ min: 0, max: 600_000 }), { minLength: 1, maxLength: 20 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    totalMs: fc.integer({ min: 0, max: 1_000_000 }),
  });
  const retryAfter = fc.constantFrom(undefined, '0', '60', '100000');
  fc.assert(
    fc.property(
      schedule,
      fc.double({ min: 0, max: 0.999999, noNaN: true }),
      retryAfter,
      (policy, random, asked) => {
        let nowMs = NOW_MS;
        for (let attempt = 1; ; attempt += 1) {
          const delay = retryDelayMs({ ...input, policy, attempt, nowMs, random, retryAfter: asked });
          if (delay === undefined) break;
          nowMs += delay;
          expect(nowMs - NOW_MS).toBeLessThanOrEqual(policy.totalMs);
        }
      },
    ),
  );
  const policy = { delaysMs: [1_000, 1_000, 1_000], jitter: 0, totalMs: 2_000 };
  expect(
    [0, 1_000, 2_000].map((ms, i) => retryDelayMs({ ...input, policy, attempt: i + 1, nowMs: NOW_MS + ms })),
  ).toEqual([1_000, 1_000, undefined]);
});

test('Retry-After is honoured where it asks for more patience, up to a bound', () => {
  const ask = (retryAfter: string) => retryDelayMs({ ...input, retryAfter });
  expect(ask('1')).toBe(DEFAULT_RETRY_POLICY.delaysMs[0]);
  expect(ask('120')).toBe(120_000);
  expect(ask('Mon, 23 Nov 2026 10:03:00 GMT')).toBe(180_000);
  expect(RETRY_AFTER_MAX_MS).toBe(6 * 3_600_000);
  expect(ask('21600')).toBe(RETRY_AFTER_MAX_MS);
  expect(ask('99999999')).toBe(RETRY_AFTER_MAX_MS);
  expect(retryDelayMs({ ...input, attempt: 8, retryAfter: '120' })).toBeUndefined();
});

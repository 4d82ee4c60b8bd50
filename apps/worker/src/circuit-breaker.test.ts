/** A circuit opens after repeated failures, and probes at growing intervals until it closes. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Health,
  healthAfter,
  isFailure,
  opened,
  probing,
  shouldOpen,
  stillOpen,
} from './circuit-breaker.ts';

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

test('a circuit opens after twenty failures in a row that last three seconds, and not before', () => {
  const attempt = fc.record({ failed: fc.boolean(), afterMs: fc.integer({ min: 0, max: 400 }) });
  fc.assert(
    fc.property(fc.array(attempt, { maxLength: 100 }), (attempts) => {
      let nowMs = 0;
      let health: Health | undefined;
      let inARow = 0;
      let aliveAtMs: number | undefined;
      for (const { failed, afterMs } of attempts) {
        nowMs += afterMs;
        health = healthAfter(health, failed, nowMs);
        inARow = failed ? inARow + 1 : 0;
        if (!failed || aliveAtMs === undefined) aliveAtMs = nowMs;
        expect(shouldOpen(health, nowMs)).toBe(inARow >= 20 && nowMs - aliveAtMs >= 3_000);
      }
    }),
  );
});

test('the wait for the next probe doubles with each that fails, from five seconds to five minutes', () => {
  let circuit = opened('timeout', 0);
  const waits: number[] = [];
  for (let i = 0; i < 9; i += 1) {
    if (circuit.state !== 'open') throw new Error('it stays open');
    waits.push(circuit.cooldownMs / 1_000);
    circuit = stillOpen(circuit, 0);
  }
  expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
});

test('while a probe is under way, no other is due', () => {
  const circuit = opened('timeout', 0);
  if (circuit.state !== 'open') throw new Error('it is open');
  expect(probing(circuit, 5_000)).toMatchObject({ probeAtMs: 10_000, cooldownMs: 5_000 });
});

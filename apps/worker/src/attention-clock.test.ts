/** The attention clock does not count the time in which the process itself was held up. Takes under a second. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createAttemptSlots } from './attempt-slots.ts';
import { LOOK_MS, startAttentionClock } from './attention-clock.ts';

// The clock and its looks are the test's: what is promised is how they go together.
beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate'] }));
afterEach(() => void jest.useRealTimers());

test('it runs with time while the process is at ease', () => {
  let realMs = 1_000;
  const clock = startAttentionClock(() => realMs);
  const startedAt = clock.now();
  for (let look = 0; look < 10; look += 1) {
    realMs += LOOK_MS;
    jest.advanceTimersByTime(LOOK_MS);
  }
  realMs += LOOK_MS / 2;
  expect(clock.now() - startedAt).toBe(10.5 * LOOK_MS);
  clock.stop();
});

test('what holds the process up counts as one look, however long it takes', () => {
  let realMs = 0;
  const clock = startAttentionClock(() => realMs);
  realMs += 5_000;
  expect(clock.now()).toBe(LOOK_MS);
  jest.advanceTimersByTime(LOOK_MS);
  expect(clock.now()).toBe(LOOK_MS);
  realMs += 1;
  expect(clock.now()).toBe(LOOK_MS + 1);
  clock.stop();
});

test('a destination is silent when nothing ends while we listen, and not when we are held up', async () => {
  let realMs = 0;
  const clock = startAttentionClock(() => realMs);
  const slots = createAttemptSlots({ slotsMax: 4, bytesMax: 1_000_000, now: clock.now });
  const signal = new AbortController().signal;
  const ends: unknown[] = [];
  for (let i = 0; i < 6; i += 1)
    void slots
      .acquire('lane', {
        signal,
        evictable: () => true,
        onSetAside: () => undefined,
        isRetry: false,
        bytes: 0,
      })
      .then((end) => ends.push(end));
  const evictedAfter = async (roundMs: number) => {
    realMs += roundMs;
    jest.advanceTimersByTime(LOOK_MS);
    slots.evictCongested();
    await new Promise((resolve) => setImmediate(resolve));
    return ends.filter((end) => end === 'evicted').length;
  };
  expect(await evictedAfter(1_000)).toBe(0);
  expect(await evictedAfter(1_000)).toBe(0);
  // It had three looks by now, and heard nothing. One of three may stay for what ends next.
  expect(await evictedAfter(1_000)).toBe(2);
  clock.stop();
});

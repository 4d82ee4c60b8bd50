/** Lanes share the attempt slots: a slow lane gets fewer, and no lane is left without any. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type AcquireOptions, createAttemptSlots, type Release } from './attempt-slots.ts';

const { signal } = new AbortController();
const CAN_LEAVE = { signal, evictable: true, isRetry: false };
const RETRY = { ...CAN_LEAVE, isRetry: true };

/** Asks for slots and keeps what was given, in the order in which it was. */
function setup(slotsMax: number) {
  let nowMs = 0;
  const slots = createAttemptSlots(slotsMax, () => nowMs);
  const given: { lane: string; release: Release }[] = [];
  const evicted: string[] = [];
  return {
    slots,
    given,
    evicted,
    pass: (ms: number) => {
      nowMs += ms;
    },
    ask(lane: string, options: AcquireOptions = CAN_LEAVE): void {
      void slots.acquire(lane, options).then((answer) => {
        if (typeof answer === 'function') given.push({ lane, release: answer });
        else if (answer === 'evicted') evicted.push(lane);
      });
    },
    held: (lane: string) => given.filter((one) => one.lane === lane).length,
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

test('a lane that is alone gets three quarters of the slots once it answers, and leaves room for each that comes', async () => {
  const { ask, given, held, settle } = setup(200);
  for (let i = 0; i < 1_000; i += 1) ask('answers');
  await settle();
  expect(held('answers')).toBe(32);
  for (let trips = 0; trips < 3; trips += 1) {
    for (const { release } of given.splice(0)) release('answered');
    await settle();
  }
  expect(held('answers')).toBe(150);
  for (let lane = 1; lane <= 10; lane += 1) {
    ask(`other-${lane}`);
    await settle();
    expect(held(`other-${lane}`)).toBe(1);
  }
});

test('while first attempts wait, retries hold a quarter of the slots; when none waits, all of them', async () => {
  const { slots, ask, given, held, settle } = setup(200);
  for (let i = 0; i < 500; i += 1) ask('storm', RETRY);
  await settle();
  expect(held('storm')).toBe(32);
  // They come while retries hold all there is, and get three of four of what is freed.
  let firstAttempts = 0;
  const waitForSlot = async () => {
    const release = await slots.acquire('storm', CAN_LEAVE);
    if (typeof release !== 'function') throw new Error(release);
    firstAttempts += 1;
    given.push({ lane: 'storm', release });
  };
  for (let i = 0; i < 500; i += 1) void waitForSlot();
  await settle();
  for (let trips = 0; trips < 4; trips += 1) {
    for (const { release } of given.splice(0)) release('answered');
    await settle();
  }
  const before = firstAttempts;
  const freed = given.splice(0);
  for (const { release } of freed) release('answered');
  await settle();
  expect((firstAttempts - before) / given.length).toBeGreaterThanOrEqual(0.7);
  expect((firstAttempts - before) / given.length).toBeLessThanOrEqual(0.8);
});

test('a lane that does not answer in time holds fewer slots each time, down to four', async () => {
  const { ask, given, held, settle } = setup(200);
  for (let i = 0; i < 500; i += 1) ask('hangs');
  await settle();
  for (const { release } of given.splice(0)) release('silent');
  await settle();
  expect(held('hangs')).toBe(4);
  for (const { release } of given.splice(0)) release('answered');
  await settle();
  expect(held('hangs')).toBe(8);
});

test('no more slots are held than there are, and none is left unused while somebody may have it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.nat({ max: 50 })), { maxLength: 80 }),
      async (slotsMax, steps) => {
        const { slots, ask, given, held, settle } = setup(slotsMax);
        for (const step of steps) {
          if (typeof step === 'string') ask(step);
          else given.splice(step % Math.max(1, given.length), 1)[0]?.release('answered');
          await settle();
          expect(slots.inFlight()).toBe(given.length);
          expect(given.length).toBeLessThanOrEqual(slotsMax);
          // Nobody has more than twenty slots here: the windows, which begin at 32, do not count.
          for (const lane of ['a', 'b', 'c']) {
            const mayHaveMore = given.length < slotsMax && held(lane) < 3 * (slotsMax - given.length);
            if (mayHaveMore) expect(slots.waitingOf(lane)).toBe(0);
          }
        }
        // Whoever waits is served in the end.
        while (given.length > 0) {
          given.pop()?.release('answered');
          await settle();
        }
        expect(['a', 'b', 'c'].map(slots.waitingOf)).toEqual([0, 0, 0]);
      },
    ),
    { numRuns: 60 },
  );
});

test('who waits long for a lane is sent away, and the lane is congested until it has room again', async () => {
  const { slots, ask, pass, given, evicted, settle } = setup(4);
  for (let i = 0; i < 6; i += 1) ask('hangs');
  ask('hangs', { signal, evictable: false, isRetry: false });
  await settle();
  expect(given).toHaveLength(3);
  pass(40);
  slots.evictCongested();
  await settle();
  expect(evicted).toEqual([]);
  expect(slots.isCongested('hangs')).toBe(false);
  pass(1);
  expect(slots.isCongested('hangs')).toBe(true);
  slots.evictCongested();
  await settle();
  expect(evicted).toEqual(['hangs', 'hangs', 'hangs']);
  expect(slots.waitingOf('hangs')).toBe(1);
  expect(slots.isCongested('hangs')).toBe(true);
  for (const { release } of given.splice(0)) release('answered');
  expect(slots.isCongested('hangs')).toBe(false);
});

test('who waits when the process stops, waits no longer, and a slot given back twice is one slot', async () => {
  const slots = createAttemptSlots(1, () => 0);
  const release = await slots.acquire('a', CAN_LEAVE);
  const stopping = new AbortController();
  const waiting = slots.acquire('a', { signal: stopping.signal, evictable: true, isRetry: false });
  stopping.abort();
  expect(await waiting).toBe('aborted');
  if (typeof release !== 'function') throw new Error('the first slot is free');
  release('answered');
  release('answered');
  expect(slots.inFlight()).toBe(0);
});

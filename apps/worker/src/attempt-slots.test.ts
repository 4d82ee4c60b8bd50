/**
 * Slots are used by whoever can use them, and shared as soon as another lane comes: a slow lane gets fewer, and no lane
 * is left without any. Takes about 3 s.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type AcquireOptions, createAttemptSlots, type Release } from './attempt-slots.ts';

const BYTES_MAX = 64_000_000;
const { signal } = new AbortController();
const CAN_LEAVE: AcquireOptions = {
  signal,
  evictable: () => true,
  onSetAside: () => undefined,
  isRetry: false,
  bytes: 0,
};
const RETRY = { ...CAN_LEAVE, isRetry: true };

/** Asks for slots and keeps what was given, in the order in which it was. */
function setup(slotsMax: number) {
  let nowMs = 0;
  const slots = createAttemptSlots({ slotsMax, bytesMax: BYTES_MAX, now: () => nowMs });
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

test('a lane that is alone gets all slots but a reserve once it answers, and leaves room for those that come', async () => {
  const { ask, given, held, settle } = setup(200);
  for (let i = 0; i < 1_000; i += 1) ask('answers');
  await settle();
  expect(held('answers')).toBe(32);
  for (const size of [96, 193]) {
    for (const { release } of given.splice(0)) release('answered');
    await settle();
    expect(held('answers')).toBe(size);
  }
  for (let lane = 1; lane <= 6; lane += 1) {
    ask(`other-${lane}`);
    await settle();
    expect(held(`other-${lane}`)).toBe(1);
  }
});

test('a lane that is slow holds three quarters of the slots, and leaves room for each that comes', async () => {
  const { ask, given, held, pass, settle } = setup(200);
  for (let i = 0; i < 1_000; i += 1) ask('slow');
  await settle();
  // One that takes longer than a second is there all the time.
  const [oldest] = given.splice(0, 1);
  pass(1_000);
  for (let trips = 0; trips < 3; trips += 1) {
    for (const { release } of given.splice(0)) release('answered');
    await settle();
  }
  expect(held('slow') + 1).toBe(150);
  for (let lane = 1; lane <= 10; lane += 1) {
    ask(`other-${lane}`);
    await settle();
    expect(held(`other-${lane}`)).toBe(1);
  }
  oldest?.release('answered');
});

test('while first attempts wait, retries hold a quarter of the slots; when none waits, all of them', async () => {
  const { slots, ask, given, held, settle } = setup(200);
  for (let i = 0; i < 1_000; i += 1) ask('storm', RETRY);
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
  for (let i = 0; i < 1_000; i += 1) void waitForSlot();
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
  expect(held('hangs')).toBe(12);
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

test('who waits long for a lane is sent away, who comes then does not come in, until the lane has room again', async () => {
  const { ask, pass, given, evicted, settle, slots } = setup(4);
  for (let i = 0; i < 6; i += 1) ask('hangs');
  let setAside = 0;
  const countSetAside = () => {
    setAside += 1;
  };
  ask('hangs', { ...CAN_LEAVE, evictable: () => false, onSetAside: countSetAside });
  await settle();
  expect(given).toHaveLength(3);
  pass(40);
  slots.evictCongested();
  await settle();
  expect(evicted).toEqual([]);
  pass(1);
  slots.evictCongested();
  slots.evictCongested();
  await settle();
  expect(evicted).toEqual(['hangs', 'hangs', 'hangs']);
  // Who cannot leave stays, and is told so once.
  expect(slots.waitingOf('hangs')).toBe(1);
  expect(setAside).toBe(1);
  // More than a second old, what is in flight does not come back soon.
  pass(1_000);
  ask('hangs');
  await settle();
  expect(evicted).toHaveLength(4);
  for (const { release } of given.splice(0)) release('answered');
  await settle();
  expect(given).toHaveLength(1);
  ask('hangs');
  await settle();
  expect(given).toHaveLength(2);
});

test('a lane has room for as many as it would be given, beside those that have come to stay', async () => {
  const { ask, given, slots, settle } = setup(200);
  const stays = { ...CAN_LEAVE, evictable: () => false };
  expect(slots.roomOf('answers')).toBe(32);
  for (let i = 0; i < 30; i += 1) ask('answers', stays);
  await settle();
  // Two more slots, and a quarter of what is in flight may wait.
  expect(slots.roomOf('answers')).toBe(2 + 7);
  for (let i = 0; i < 100; i += 1) ask('answers');
  await settle();
  expect(slots.roomOf('answers')).toBe(8);
  for (let i = 0; i < 8; i += 1) ask('answers', stays);
  await settle();
  expect(slots.roomOf('answers')).toBe(0);
  for (const { release } of given.splice(0)) release('answered');
  await settle();
  expect(slots.roomOf('answers')).toBeGreaterThan(0);
});

test('who waits when the process stops, waits no longer, and a slot given back twice is one slot', async () => {
  const slots = createAttemptSlots({ slotsMax: 1, bytesMax: BYTES_MAX, now: () => 0 });
  const release = await slots.acquire('a', CAN_LEAVE);
  const stopping = new AbortController();
  const waiting = slots.acquire('a', { ...CAN_LEAVE, signal: stopping.signal });
  stopping.abort();
  expect(await waiting).toBe('aborted');
  if (typeof release !== 'function') throw new Error('the first slot is free');
  release('answered');
  release('answered');
  expect(slots.inFlight()).toBe(0);
});

interface SimulatedLane {
  readonly name: string;
  readonly comesAtMs: number;
  /** Of an attempt that begins at that time; undefined: it never answers. */
  readonly latencyMs: (nowMs: number) => number | undefined;
}

const TIMEOUT_MS = 2_000;
const SUPPLY = 100;

/** Lanes that always have more to send, for so long in virtual time. Resolves to what each holds, by the millisecond. */
async function simulate(slotsMax: number, forMs: number, lanes: readonly SimulatedLane[]) {
  let nowMs = 0;
  const slots = createAttemptSlots({ slotsMax, bytesMax: BYTES_MAX, now: () => nowMs });
  const ends: { atMs: number; lane: string; end: Parameters<Release>[0]; release: Release }[] = [];
  const held = new Map(lanes.map(({ name }) => [name, [] as number[]]));
  const firstGivenAtMs = new Map<string, number>();
  const ask = async ({ name, latencyMs }: SimulatedLane) => {
    const release = await slots.acquire(name, CAN_LEAVE);
    if (typeof release !== 'function') return;
    if (!firstGivenAtMs.has(name)) firstGivenAtMs.set(name, nowMs);
    const latency = latencyMs(nowMs);
    ends.push({
      atMs: nowMs + (latency ?? TIMEOUT_MS),
      lane: name,
      end: latency === undefined ? 'silent' : 'answered',
      release,
    });
  };
  for (; nowMs < forMs; nowMs += 1) {
    for (const { end, release } of ends.filter(({ atMs }) => atMs <= nowMs)) release(end);
    ends.splice(0, ends.length, ...ends.filter(({ atMs }) => atMs > nowMs));
    if (nowMs % 20 === 0) slots.evictCongested();
    for (const lane of lanes) {
      if (lane.comesAtMs > nowMs) continue;
      // Some are given a slot at once, and some are sent away.
      for (let i = 0; slots.waitingOf(lane.name) < SUPPLY && i < 2 * slotsMax; i += 1) void ask(lane);
    }
    await new Promise((resolve) => setImmediate(resolve));
    for (const [name, values] of held) values.push(ends.filter(({ lane }) => lane === name).length);
  }
  return {
    firstGivenAtMs,
    at: (name: string, atMs: number) => held.get(name)?.[atMs] as number,
    share(name: string, fromMs: number) {
      const values = held.get(name)?.slice(fromMs) as number[];
      return values.reduce((sum, value) => sum + value, 0) / values.length / slotsMax;
    },
  };
}

const always = (latencyMs: number | undefined) => () => latencyMs;

test.each([
  [200, 100],
  [200, 400],
  [1_000, 100],
  [1_000, 400],
])(
  'of %s slots, a destination %s ms away uses all but a reserve after a second',
  async (slotsMax, latencyMs) => {
    const { share } = await simulate(slotsMax, 2_000, [
      { name: 'alone', comesAtMs: 0, latencyMs: always(latencyMs) },
    ]);
    expect(share('alone', 1_000)).toBeGreaterThanOrEqual(0.95);
  },
);

test.each([100, 400])(
  'a second lane is served at once, and has its share after a latency of %s ms',
  async (latencyMs) => {
    const { at, firstGivenAtMs } = await simulate(200, 2_500, [
      { name: 'first', comesAtMs: 0, latencyMs: always(latencyMs) },
      { name: 'second', comesAtMs: 1_500, latencyMs: always(50) },
    ]);
    expect(firstGivenAtMs.get('second')).toBe(1_500);
    // 3 / 7 of the slots each, as the rule says. Its window needs two round trips of its own.
    const sharedAtMs = 1_500 + latencyMs + 2 * 50 + 5;
    expect(at('second', sharedAtMs)).toBeGreaterThanOrEqual(80);
    expect(at('first', sharedAtMs)).toBeLessThanOrEqual(90);
    expect(at('first', 2_499)).toBeGreaterThanOrEqual(80);
  },
);

test('a lane that begins to hang takes no more slots, leaves the reserve, and holds few after its timeouts', async () => {
  const { at, firstGivenAtMs } = await simulate(200, 4_000, [
    { name: 'hangs', comesAtMs: 0, latencyMs: (nowMs) => (nowMs < 1_000 ? 100 : undefined) },
    { name: 'other', comesAtMs: 1_500, latencyMs: always(50) },
  ]);
  expect(at('hangs', 1_499)).toBeLessThanOrEqual(193);
  expect(firstGivenAtMs.get('other')).toBe(1_500);
  expect(at('other', 2_000)).toBeGreaterThanOrEqual(4);
  expect(at('hangs', 3_500)).toBe(4);
  expect(at('other', 3_500)).toBeGreaterThanOrEqual(140);
});

test('a destination that hangs from the beginning holds few slots, and the other uses those that are left', async () => {
  const { at, share } = await simulate(200, 1_500, [
    { name: 'hangs', comesAtMs: 0, latencyMs: always(undefined) },
    { name: 'other', comesAtMs: 0, latencyMs: always(100) },
  ]);
  expect(at('hangs', 1_499)).toBe(32);
  expect(share('other', 1_000)).toBeGreaterThanOrEqual(0.8);
});

test('a few stay for a congested lane that gives its slots back, none for one that hangs', async () => {
  const { slots, ask, pass, evicted, settle } = setup(200);
  for (let i = 0; i < 100; i += 1) ask('distant');
  await settle();
  pass(100);
  slots.evictCongested();
  await settle();
  // Half as many as are in flight.
  expect([slots.waitingOf('distant'), evicted.length]).toEqual([16, 52]);
  pass(1_000);
  slots.evictCongested();
  await settle();
  expect([slots.waitingOf('distant'), evicted.length]).toEqual([0, 68]);
});

test('a lane with large bodies holds three quarters of the bytes, and who waits for it leaves', async () => {
  const { slots, ask, pass, given, held, evicted, settle } = setup(200);
  const large = { ...CAN_LEAVE, bytes: BYTES_MAX / 64 };
  for (let trips = 0; trips < 3; trips += 1) {
    for (const { release } of given.splice(0)) release('answered');
    for (let i = 0; i < 100; i += 1) ask('large', large);
    await settle();
  }
  expect(held('large')).toBe(48);
  ask('other', large);
  await settle();
  expect(held('other')).toBe(1);
  pass(100);
  slots.evictCongested();
  await settle();
  expect(slots.waitingOf('large')).toBe(0);
  expect(evicted.length).toBeGreaterThan(0);
  // They are given back with the attempts.
  for (let i = 0; i < 100; i += 1) ask('large', large);
  for (const { release } of given.splice(0)) release('answered');
  await settle();
  expect(held('large')).toBe(48);
});

test('a body that is larger than all room is sent, one at a time', async () => {
  const { ask, given, held, settle } = setup(200);
  const huge = { ...CAN_LEAVE, bytes: 2 * BYTES_MAX };
  for (let i = 0; i < 3; i += 1) ask('huge', huge);
  ask('other');
  await settle();
  expect([held('huge'), held('other')]).toEqual([1, 1]);
  given.splice(0, 1)[0]?.release('answered');
  await settle();
  expect(held('huge')).toBe(1);
});

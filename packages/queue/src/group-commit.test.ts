/**
 * Items of many callers are written in groups: each once, within the bounds, and failures reach their own callers.
 * Takes under a second.
 */
import { expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { createGroupCommit } from './group-commit.ts';

test('every item is written once, in groups and in a number of writes within their bounds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 3 }),
      async (items, itemsMax, writesMax) => {
        const groups: number[][] = [];
        let underWay = 0;
        let mostUnderWay = 0;
        const group = createGroupCommit<number>({
          itemsMax,
          writesMax,
          lingerMs: 0,
          async write(written) {
            underWay += 1;
            mostUnderWay = Math.max(mostUnderWay, underWay);
            await new Promise((resolve) => setImmediate(resolve));
            groups.push(written);
            underWay -= 1;
          },
        });
        await Promise.all(Array.from({ length: items }, (_, item) => group.add(item)));
        expect(groups.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: items }, (_, item) => item));
        expect(Math.max(...groups.map(({ length }) => length))).toBeLessThanOrEqual(itemsMax);
        expect(mostUnderWay).toBeLessThanOrEqual(writesMax);
        // Full groups, but for the last.
        expect(groups.length).toBe(Math.ceil(items / itemsMax));
      },
    ),
    { numRuns: 50 },
  );
});

test("a write that fails is told to its own group's callers, and to nobody else", async () => {
  const group = createGroupCommit<number>({
    itemsMax: 2,
    writesMax: 1,
    lingerMs: 0,
    write: async (items) => {
      if (items.includes(1)) throw new Error('refused');
    },
  });
  const ends = await Promise.allSettled([0, 1, 2, 3].map((item) => group.add(item)));
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled']);
});

test('drain writes what lingers, and waits for it', async () => {
  const written: number[] = [];
  const group = createGroupCommit<number>({
    itemsMax: 10,
    writesMax: 1,
    lingerMs: 3_600_000,
    write: async (items) => void written.push(...items),
  });
  const added = group.add(7);
  await group.drain();
  expect(written).toEqual([7]);
  await added;
});

test('what comes while a write is under way leaves together when it has ended', async () => {
  jest.useFakeTimers();
  const groups: number[][] = [];
  const first = Promise.withResolvers<void>();
  const group = createGroupCommit<number>({
    itemsMax: 10,
    writesMax: 1,
    lingerMs: 0,
    async write(items) {
      groups.push(items);
      if (items.includes(0)) await first.promise;
    },
  });
  const added = [group.add(0)];
  await jest.advanceTimersByTimeAsync(1);
  expect(groups).toEqual([[0]]);
  for (const item of [1, 2, 3]) {
    added.push(group.add(item));
    // Longer than it lingers.
    await jest.advanceTimersByTimeAsync(2);
  }
  first.resolve();
  await Promise.all(added);
  jest.useRealTimers();
  expect(groups).toEqual([[0], [1, 2, 3]]);
});

test('where it is asked to, a write that fails fails what waits for its place, and not what comes after', async () => {
  const away = Promise.withResolvers<void>();
  const group = createGroupCommit<number>({
    itemsMax: 2,
    writesMax: 1,
    lingerMs: 0,
    failsWaiting: true,
    write: async (items) => {
      if (items.includes(0)) await away.promise;
    },
  });
  const added = [0, 1, 2, 3, 4].map((item) => group.add(item));
  away.reject(new Error('away'));
  const ends = await Promise.allSettled(added);
  expect(ends.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
  await group.add(5);
});

/** Items are grouped in order within the limits, and a slow source delays no group. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { gather } from './gather.ts';

const never = new AbortController().signal;
const toPiece = (bytes: number) => ({ bytes });

async function groupsOf(
  source: Iterable<number> | AsyncIterable<number>,
  itemsMax: number,
  bytesMax: number,
) {
  const groups: number[][] = [];
  const options = { itemsMax, bytesMax, maxWaitMs: 60_000, toPiece, signal: never };
  for await (const group of gather(source, options)) groups.push(group.map(({ bytes }) => bytes));
  return groups;
}

async function* live(items: Iterable<number>) {
  for (const item of items) yield item;
}

test('every item is in one group, in order; groups are within the bounds, but for an item that is larger alone', async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      sizes,
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 150 }),
      fc.boolean(),
      async (items, itemsMax, bytesMax, isLive) => {
        const groups = await groupsOf(isLive ? live(items) : items, itemsMax, bytesMax);
        expect(groups.flat()).toEqual(items);
        for (const group of groups) {
          expect(group.length).toBeGreaterThan(0);
          expect(group.length).toBeLessThanOrEqual(itemsMax);
          const bytes = group.reduce((sum, size) => sum + size, 0);
          if (group.length > 1) expect(bytes).toBeLessThanOrEqual(bytesMax);
        }
      },
    ),
  );
});

/** Yields what it is given, when it is given. */
function scripted<Item>() {
  const items: Item[] = [];
  let isClosed = false;
  let more = Promise.withResolvers<void>();
  return {
    give(...given: Item[]) {
      items.push(...given);
      more.resolve();
      more = Promise.withResolvers();
    },
    isClosed: () => isClosed,
    source: {
      [Symbol.asyncIterator]: () => ({
        async next(): Promise<IteratorResult<Item>> {
          while (items.length === 0) await more.promise;
          return { done: false, value: items.shift() as Item };
        },
        async return(): Promise<IteratorResult<Item>> {
          isClosed = true;
          return { done: true, value: undefined };
        },
      }),
    },
  };
}

test('a group leaves when its first item has waited for long enough, though the source is silent', async () => {
  const { source, give } = scripted<number>();
  const groups = gather(source, { itemsMax: 10, bytesMax: 10, maxWaitMs: 5, toPiece, signal: never });
  give(1, 1);
  expect(await groups.next()).toEqual({ done: false, value: [{ bytes: 1 }, { bytes: 1 }] });
  give(2);
  expect(await groups.next()).toEqual({ done: false, value: [{ bytes: 2 }] });
});

test('a full group leaves at once', async () => {
  const { source, give } = scripted<number>();
  const groups = gather(source, { itemsMax: 2, bytesMax: 10, maxWaitMs: 60_000, toPiece, signal: never });
  give(1, 1);
  expect(await groups.next()).toEqual({ done: false, value: [{ bytes: 1 }, { bytes: 1 }] });
});

test('an abort ends the reading of a silent source, and closes it', async () => {
  const { source, isClosed } = scripted<number>();
  const ending = new AbortController();
  const groups = gather(source, { itemsMax: 2, bytesMax: 10, maxWaitMs: 5, toPiece, signal: ending.signal });
  const next = groups.next();
  ending.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(isClosed()).toBe(true);
});

test.each([true, false])(
  'what came before an error of the source comes, then the error (live: %s)',
  async (isLive) => {
    function* failing() {
      yield 1;
      throw new Error('no more');
    }
    async function* failingLive() {
      yield* failing();
    }
    const source = isLive ? failingLive() : failing();
    const groups = gather(source, { itemsMax: 9, bytesMax: 9, maxWaitMs: 60_000, toPiece, signal: never });
    expect(await groups.next()).toEqual({ done: false, value: [{ bytes: 1 }] });
    await expect(groups.next()).rejects.toThrow('no more');
  },
);

/** Results of parallel work come back in order, and a failure comes in its turn. Takes under a second. */
import { expect, test } from '@jest/globals';
import { inOrder } from './in-order.ts';

async function* count(to: number, onRead: (n: number) => void = () => undefined) {
  for (let n = 1; n <= to; n += 1) {
    onRead(n);
    yield n;
  }
}

test('results come in order, whichever is there first', async () => {
  const settle: (() => void)[] = [];
  const send = (n: number) => {
    const { promise, resolve } = Promise.withResolvers<number>();
    settle[n] = () => resolve(n);
    return promise;
  };
  const results = inOrder(count(3), { send, concurrency: 3, end: () => undefined });
  const first = results.next();
  await new Promise(setImmediate);
  settle[3]?.();
  settle[2]?.();
  settle[1]?.();
  expect([await first, await results.next(), await results.next(), await results.next()]).toEqual([
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: false, value: 3 },
    { done: true, value: undefined },
  ]);
});

test('no more is read than may be under way, until a result is taken', async () => {
  let read = 0;
  const results = inOrder(
    count(100, (n) => {
      read = n;
    }),
    { send: async (n) => n, concurrency: 4, end: () => undefined },
  );
  for (let taken = 1; taken <= 10; taken += 1) {
    await results.next();
    // Whatever could be read by now has been.
    await new Promise(setImmediate);
    expect(read).toBe(taken + 3);
  }
  await results.return();
});

test('a failure is thrown in its turn, ends the groups, and leaves no rejection behind', async () => {
  let isEnded = false;
  const results = inOrder(count(100), {
    send: async (n) => {
      if (n >= 2) throw new Error(`failed ${n}`);
      return n;
    },
    concurrency: 4,
    end: () => {
      isEnded = true;
    },
  });
  expect(await results.next()).toEqual({ done: false, value: 1 });
  await expect(results.next()).rejects.toThrow('failed 2');
  expect(isEnded).toBe(true);
});

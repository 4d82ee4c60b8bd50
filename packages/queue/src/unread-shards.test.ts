/** A shard that is not read while jobs wait in it is named, and no other. Takes under a second. */
import { expect, test } from '@jest/globals';
import { UNREAD_AFTER_MS, unreadShards } from './unread-shards.ts';

const NOW_MS = 1_000_000_000;

function check(silentMs: readonly number[], waiting: readonly number[] | 'unknown') {
  return unreadShards({
    shards: silentMs.length,
    readingSince: (shard) => NOW_MS - (silentMs[shard] as number),
    waitingJobs: async () => {
      if (waiting === 'unknown') throw new Error('Connection is closed.');
      return waiting;
    },
    now: () => NOW_MS,
  });
}

test('a shard that is not read while jobs wait in it is named, and for how long', async () => {
  expect(await check([0, 45_000, 61_000], [9, 3, 1])).toBe(
    '3 jobs wait in shard 1, which was not read for 45 s; 1 jobs wait in shard 2, which was not read for 61 s',
  );
});

test.each([
  ['none waits in it', [UNREAD_AFTER_MS * 10, 0], [0, 5]],
  ['it was read a moment ago', [UNREAD_AFTER_MS - 1, 0], [5, 5]],
  ['Redis is away', [UNREAD_AFTER_MS * 10, 0], 'unknown'],
] as const)('a shard is not named where %s', async (_what, silentMs, waiting) => {
  expect(await check(silentMs, waiting)).toBeUndefined();
});

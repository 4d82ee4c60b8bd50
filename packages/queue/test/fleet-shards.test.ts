/** All processes of a fleet have the same number of shards, whatever each was told. Takes under a second. */
import { expect, test } from '@jest/globals';
import { type JoinedShards, joinShards } from '../src/index.ts';
import { testServer } from './setup-queue.ts';

const server = testServer();

async function join(shards: number): Promise<JoinedShards & { readonly more: Promise<number> }> {
  const { promise: more, resolve } = Promise.withResolvers<number>();
  const { connection, prefix } = server;
  const joined = await joinShards({
    connection,
    prefix,
    shards,
    onMore: resolve,
    onError: (error) => {
      throw error;
    },
    lookEveryMs: 10,
  });
  return { ...joined, more };
}

test('who was told fewer follows, and who knows fewer is told when there are more', async () => {
  const first = await join(3);
  const fewer = await join(1);
  expect([first.shards, fewer.shards]).toEqual([3, 3]);
  const most = await join(6);
  expect(most.shards).toBe(6);
  expect(await Promise.all([first.more, fewer.more])).toEqual([6, 6]);
  for (const one of [first, fewer, most]) one.stop();
});

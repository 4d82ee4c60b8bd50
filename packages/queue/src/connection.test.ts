/** How long connections to Redis wait, and which errors mean that Redis is away. Takes under a second. */
import { expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { connectRedis, type ConnectOptions, disconnectRedis, isRedisUnavailable } from './connection.ts';

function optionsOf(temper: ConnectOptions['temper']): Redis['options'] {
  // Nobody listens there.
  const url = 'redis://127.0.0.1:1';
  const connection = connectRedis({ url, name: 'test', temper, onError: () => undefined }) as Redis;
  disconnectRedis(connection);
  return connection.options;
}

test('a worker gives a silent connection up after the longest fetch (10 s) and long before its locks end (40 s)', () => {
  const { socketTimeout } = optionsOf('patient');
  expect(socketTimeout).toBeGreaterThan(10_000);
  expect(socketTimeout).toBeLessThan(20_000);
});

test('a producer gives a command up well within the two seconds in which it answers', () => {
  const { commandTimeout, enableOfflineQueue, maxRetriesPerRequest } = optionsOf('failFast');
  expect(commandTimeout).toBeLessThanOrEqual(1_500);
  // A command is neither kept for later nor sent again: one command, one time limit.
  expect({ enableOfflineQueue, maxRetriesPerRequest }).toEqual({
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
  });
});

test.each([
  ["OOM command not allowed when used memory > 'maxmemory'.", true],
  ["READONLY You can't write against a read only replica.", true],
  ['LOADING Redis is loading the dataset in memory', true],
  ['MISCONF Redis is configured to save RDB snapshots', true],
  ['Connection is closed.', true],
  // ioredis says this of a pipeline or a transaction whose connection was lost when some of its replies had arrived.
  ['Command aborted due to connection close', true],
  ['Command timed out', true],
  ['connect ECONNREFUSED 127.0.0.1:6379', true],
  ["ERR wrong number of arguments for 'get' command", false],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', false],
  ["Cannot read properties of undefined (reading 'OOM')", false],
])('%s: is Redis away? %s', (message, expected) => {
  expect(isRedisUnavailable(new Error(message))).toBe(expected);
});

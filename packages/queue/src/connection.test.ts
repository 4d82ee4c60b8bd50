/** How long connections to Redis wait, and which errors mean that Redis is away. */
import { expect, test } from '@jest/globals';
import { isRedisUnavailable } from './connection.ts';

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

import { expect, test } from '@jest/globals';
import { isRedisUnavailable, parseAddress } from './connection.ts';

test.each([
  ['redis://127.0.0.1:6380', { host: '127.0.0.1', port: 6380 }],
  ['redis://cache', { host: 'cache', port: 6379 }],
  ['redis://cache/3', { host: 'cache', port: 6379, db: 3 }],
  ['redis://[::1]:7000', { host: '::1', port: 7000 }],
  ['redis://user:p%40ss@cache', { host: 'cache', port: 6379, username: 'user', password: 'p@ss' }],
  ['rediss://cache:6380', { host: 'cache', port: 6380, tls: { servername: 'cache' } }],
])('%s', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test.each(['localhost:6379', 'http://cache', 'redis://cache/x', ''])('%j is no address of Redis', (text) => {
  expect(() => parseAddress(text)).toThrow(TypeError);
});

test('a wrong address is told without its password', () => {
  expect(() => parseAddress('http://user:hunter2@cache')).toThrow(/^(?!.*hunter2)/);
});

test.each([
  ["OOM command not allowed when used memory > 'maxmemory'.", true],
  ["READONLY You can't write against a read only replica.", true],
  ['LOADING Redis is loading the dataset in memory', true],
  ['MISCONF Redis is configured to save RDB snapshots', true],
  ['Connection is closed.', true],
  ['Command timed out', true],
  ['connect ECONNREFUSED 127.0.0.1:6379', true],
  ["ERR wrong number of arguments for 'get' command", false],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', false],
  ["Cannot read properties of undefined (reading 'OOM')", false],
])('%s: is Redis away? %s', (message, expected) => {
  expect(isRedisUnavailable(new Error(message))).toBe(expected);
});

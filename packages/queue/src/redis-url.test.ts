/** Every documented form of REDIS_URL is understood, and every other form is refused. Takes under a second. */
import { expect, test } from '@jest/globals';
import { parseRedisUrl } from './redis-url.ts';

test.each([
  ['redis://127.0.0.1:6380', { host: '127.0.0.1', port: 6380 }],
  ['redis://cache', { host: 'cache', port: 6379 }],
  ['redis://cache/3', { host: 'cache', port: 6379, db: 3 }],
  ['redis://[::1]:7000', { host: '::1', port: 7000 }],
  ['redis://user:p%40ss@cache', { host: 'cache', port: 6379, username: 'user', password: 'p@ss' }],
  ['rediss://cache:6380', { host: 'cache', port: 6380, tls: { servername: 'cache' } }],
])('%s', (text, address) => {
  expect(parseRedisUrl(text)).toEqual({ kind: 'single', address });
});

test('several addresses are a cluster, spoken to as the first one says', () => {
  expect(parseRedisUrl('rediss://user:secret@a:7000, rediss://b:7001')).toEqual({
    kind: 'cluster',
    nodes: [
      { host: 'a', port: 7000 },
      { host: 'b', port: 7001 },
    ],
    access: { username: 'user', password: 'secret', tls: { servername: 'a' } },
  });
});

test.each([
  [
    'redis+sentinel://a/main',
    { sentinels: [{ host: 'a', port: 26379 }], masterName: 'main', access: {}, sentinelAccess: {} },
  ],
  [
    'redis+sentinel://user:p%40ss@a:7000,[::1]:7001,b/main/2',
    {
      sentinels: [
        { host: 'a', port: 7000 },
        { host: '::1', port: 7001 },
        { host: 'b', port: 26379 },
      ],
      masterName: 'main',
      access: { username: 'user', password: 'p@ss', db: 2 },
      sentinelAccess: {},
    },
  ],
  [
    'rediss+sentinel://:secret@a/main?sentinel_username=watch&sentinel_password=d%40g%25',
    {
      sentinels: [{ host: 'a', port: 26379 }],
      masterName: 'main',
      access: { password: 'secret', tls: {} },
      sentinelAccess: { username: 'watch', password: 'd@g%' },
    },
  ],
])('%s', (text, target) => {
  expect(parseRedisUrl(text)).toEqual({ kind: 'sentinel', ...target });
});

test.each([
  'localhost:6379',
  'http://cache',
  'redis://cache/x',
  '',
  'redis+sentinel://a',
  'redis+sentinel://a/',
  'redis+sentinel:///main',
  'redis+sentinel://a,/main',
  'redis+sentinel://a:70000/main',
  'redis+sentinel://a:x/main',
  'redis+sentinel://a,redis://b/main',
  'redis+sentinel://user:secret@a,user:secret@b/main',
  'redis+sentinel://a/main/x',
  'redis+sentinel://a/main?timeout=3',
  'redis+sentinel://a/main#2',
])('%j is no address of Redis', (text) => {
  expect(() => parseRedisUrl(text)).toThrow(TypeError);
});

test.each([
  'http://user:hunter2@cache',
  'redis+sentinel://user:hunter2@a',
  'redis+sentinel://a/main?sentinel_pasword=hunter2',
])('%s: what is wrong is told without the password', (text) => {
  expect(() => parseRedisUrl(text)).toThrow(/^(?!.*hunter2)/);
});

test('an address of a cluster that ends with a comma is one', () => {
  expect(parseRedisUrl('redis://a:7000,')).toEqual({
    kind: 'cluster',
    nodes: [{ host: 'a', port: 7000 }],
    access: {},
  });
});

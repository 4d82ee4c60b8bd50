/** Every documented form of REDIS_URL is understood, and every other form is refused. Takes under a second. */
import { expect, test } from '@jest/globals';
import { parseRedisUrl } from './redis-url.ts';

test.each([
  ['redis://127.0.0.1:6380', { host: '127.0.0.1', port: 6380 }],
  ['redis://cache', { host: 'cache', port: 6379 }],
  ['redis://cache/3', { host: 'cache', port: 6379, db: 3 }],
  ['redis://[::1]:7000', { host: '::1', port: 7000 }],
  ['redis://user:p%40ss@cache', { host: 'cache', port: 6379, username: 'user', password: 'p@ss' }],
  ['redis://:100%25%2F%23%3F%2Cx@cache', { host: 'cache', port: 6379, password: '100%/#?,x' }],
  ['  redis://cache/ ', { host: 'cache', port: 6379 }],
  ['REDIS://cache', { host: 'cache', port: 6379 }],
  ['rediss://10.0.0.5', { host: '10.0.0.5', port: 6379, tls: {} }],
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
    access: { username: 'user', password: 'secret', tls: {} },
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

// Most of these were once understood as something else: another host, another database, no password.
test.each([
  ['redis:6379', 'not a Redis URL'],
  ['redis:/cache', 'not a Redis URL'],
  ['cache:6379', 'not a Redis URL'],
  ['unix:///run/redis.sock', 'unix:// is not'],
  ['http://user:hunter2@cache', 'http:// is not'],
  ['redis://cache?db=3&password=hunter2', 'no parameters'],
  ['rediss://cache/3?ssl_cert_reqs=none', 'no parameters'],
  ['redis://cache/3#hunter2', 'no fragment'],
  ['redis://:hunter2#1@cache', '# is %23'],
  ['redis://cache:12#hunter2@other', '# is %23'],
  ['redis://user?hunter2@cache', '? is %3F'],
  ['redis://:hunter2/1@cache', '/ is written %2F'],
  ['redis://:hunter2@1@cache', '@ is %40'],
  ['redis://:hunter2 1@cache', 'a space %20'],
  ['redis://:hunter2,1@cache', 'a comma %2C'],
  ['redis://:hunter2%zz@cache', 'a % in a user, password or name is written %25'],
  ['redis://:hunter2%ff@cache', 'a % in a user, password or name is written %25'],
  ['redis+sentinel://:hunter2%@a/main', 'a % in a user, password or name is written %25'],
  ['redis+sentinel://a/%main', 'a % in a user, password or name is written %25'],
  ['redis+sentinel://user:hunter2@a', 'the name of the master'],
  ['redis+sentinel://a/main?sentinel_pasword=hunter2', 'sentinel_pasword is not a parameter'],
  ['redis://hunter2@cache', 'a user needs a password'],
  ['redis://cache/1e3', 'a database number'],
  ['redis://cache/-1', 'a database number'],
  ['redis://ca che', 'no spaces'],
  ['redis://a:7000/3,redis://b:7001', 'no other database than 0'],
  ['redis://a:7000,redis://b:7001/3', 'one scheme, user and password'],
  ['redis://a:7000,rediss://b:7001', 'one scheme, user and password'],
  ['redis://:secret@a:7000,redis://:hunter2@b:7001', 'one scheme, user and password'],
  ['redis://a:7000,redis://:hunter2@b:7001', 'one scheme, user and password'],
  ['redis://a:7000,b:7001', 'not a Redis URL'],
])('%s is refused: "%s", without the password', (text, why) => {
  const parse = () => parseRedisUrl(text);
  expect(parse).toThrow(TypeError);
  expect(parse).toThrow(why);
  expect(parse).toThrow(/^(?!.*hunter2)/);
});

test('an address of a cluster that ends with a comma is one', () => {
  expect(parseRedisUrl('redis://a:7000,')).toEqual({
    kind: 'cluster',
    nodes: [{ host: 'a', port: 7000 }],
    access: {},
  });
});

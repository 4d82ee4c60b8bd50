/** All configuration errors are reported at once, and no secret is ever logged. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  choice,
  describeConfig,
  durationMs,
  integer,
  list,
  loadConfig,
  optional,
  parseDurationMs,
  required,
  text,
} from './load-config.ts';

const SPEC = {
  redisUrl: required('REDIS_URL', { help: 'where Redis is' }),
  port: integer('PORT', { default: 80, min: 0, max: 65_535, help: 'port' }),
  level: choice('LEVEL', ['low', 'high'], { default: 'low', help: 'level' }),
  timeoutMs: durationMs('TIMEOUT', { default: '30s', min: '1s', max: '1m', help: 'time' }),
  keys: list('KEYS', {
    secret: true,
    help: 'keys',
    check(key) {
      if (key.length < 3) throw new TypeError('too short');
    },
  }),
  name: text('NAME', { default: 'fleet', help: 'name' }),
};

test('what is unset, or empty, has its default; what is set is parsed', () => {
  expect(loadConfig(SPEC, { REDIS_URL: 'r', PORT: '', LEVEL: ' high ', KEYS: 'abc, def,' })).toEqual({
    redisUrl: 'r',
    port: 80,
    level: 'high',
    timeoutMs: 30_000,
    keys: ['abc', 'def'],
    name: 'fleet',
  });
});

test('what other programs name in lower case is read so too, where it is not set otherwise', () => {
  const spec = {
    proxy: optional('HTTPS_PROXY', { help: 'proxy', lowerCaseToo: true }),
    not: optional('NAME', { help: 'name' }),
  };
  expect(loadConfig(spec, { https_proxy: 'lower', name: 'x' })).toEqual({ proxy: 'lower', not: undefined });
  expect(loadConfig(spec, { HTTPS_PROXY: ' ', https_proxy: 'lower' }).proxy).toBe('lower');
  expect(loadConfig(spec, { HTTPS_PROXY: 'upper', https_proxy: 'lower' }).proxy).toBe('upper');
});

test('all problems are told at once, a line each, and never with a secret', () => {
  const environment = { PORT: '70000', LEVEL: 'middle', TIMEOUT: '2m', KEYS: 'hunter2,x' };
  expect(() => loadConfig(SPEC, environment)).toThrow(
    [
      'REDIS_URL: must be set: where Redis is',
      'PORT: must be a whole number from 0 to 65535 (it is "70000")',
      'LEVEL: must be one of low, high (it is "middle")',
      'TIMEOUT: must be a time from 1s to 1m, such as 30s (it is "2m")',
      'KEYS: too short',
    ].join('\n'),
  );
});

test('values that do not go together are told by the names of their variables', () => {
  expect(() => loadConfig(SPEC, { REDIS_URL: 'r' }, ({ port }) => [`PORT: ${port} does not suit`])).toThrow(
    'PORT: 80 does not suit',
  );
});

test('a configuration can not be changed', () => {
  const config = loadConfig(SPEC, { REDIS_URL: 'r' });
  expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError);
});

test('a configuration is logged without its secrets, those in URLs included', () => {
  const config = loadConfig(SPEC, { REDIS_URL: 'redis://u:hunter2@a,redis://u:hunter3@b', KEYS: 'hunter4' });
  expect(describeConfig(SPEC, config)).toMatchObject({
    REDIS_URL: 'redis://***@a,redis://***@b',
    KEYS: '***',
    PORT: 80,
  });
  const url = 'redis+sentinel://u:hunter2@a,b/main?sentinel_password=hunter3';
  expect(describeConfig(SPEC, loadConfig(SPEC, { REDIS_URL: url }))).toMatchObject({
    REDIS_URL: 'redis+sentinel://***@a,b/main?sentinel_password=***',
  });
});

test('a wrong value is told without the passwords in it', () => {
  const spec = {
    url: required('REDIS_URL', {
      help: '',
      check() {
        throw new TypeError('wrong');
      },
    }),
  };
  expect(() => loadConfig(spec, { REDIS_URL: 'redis://u:hunter2@a' })).toThrow(
    'REDIS_URL: wrong (it is "redis://***@a")',
  );
  expect(() => loadConfig(spec, { REDIS_URL: 'redis+sentinel://a/main?sentinel_pasword=hunter2' })).toThrow(
    'REDIS_URL: wrong (it is "redis+sentinel://a/main?sentinel_pasword=***")',
  );
});

test('a span of time is a whole number and a unit, seconds where there is none', () => {
  const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, '': 1_000 } as const;
  fc.assert(
    fc.property(
      fc.nat(),
      fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])),
      (number, unit) => {
        expect(parseDurationMs(`${number}${unit}`)).toBe(number * units[unit]);
      },
    ),
  );
  for (const text of ['', 's', '-1s', '1.5s', '1 s', '1w', '1e3']) expect(parseDurationMs(text)).toBeNaN();
});

/** The producer starts with only REDIS_URL set, and needs API keys on a public address. Takes under a second. */
import { expect, test } from '@jest/globals';
import { loadProducerConfig } from './config.ts';

const REDIS = { REDIS_URL: 'redis://127.0.0.1:6379' };

test('nothing but the address of Redis must be set', () => {
  expect(loadProducerConfig(REDIS)).toMatchObject({
    host: '127.0.0.1',
    port: 8080,
    shards: 1,
    bundleSize: 25,
  });
  expect(() => loadProducerConfig({})).toThrow(/^REDIS_URL: must be set/);
});

test('an address that others can reach needs API keys', () => {
  const outside = { ...REDIS, HOST: '0.0.0.0' };
  expect(() => loadProducerConfig(outside)).toThrow(
    /^HOOKFLEET_API_KEYS: must be set where HOST is 0\.0\.0\.0/,
  );
  expect(loadProducerConfig({ ...outside, HOOKFLEET_API_KEYS: 'a-key-that-is-long' }).host).toBe('0.0.0.0');
});

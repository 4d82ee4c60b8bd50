/** The worker accepts only the HTTP clients that it knows, and a prefix that keys can begin with. Takes under a second. */
import { expect, test } from '@jest/globals';
import { loadWorkerConfig } from './config.ts';

const load = (value: string | undefined) =>
  loadWorkerConfig({ REDIS_URL: 'redis://127.0.0.1:6379', HOOKFLEET_HTTP_CLIENT: value });

test.each([
  [undefined, 'got'],
  ['got', 'got'],
  ['undici', 'undici'],
])('HOOKFLEET_HTTP_CLIENT %s chooses %s', (value, expected) => {
  expect(load(value).httpClient).toBe(expected);
});

test.each(['axios', 'UNDICI', 'got,undici'])(
  '%s is no HTTP client: the start ends with its name',
  (value) => {
    expect(() => load(value)).toThrow('HOOKFLEET_HTTP_CLIENT');
  },
);

test.each(['{a}', 'a{', 'a b', 'x'.repeat(65)])('a key prefix of %j is refused', (prefix) => {
  expect(() => loadWorkerConfig({ REDIS_URL: 'redis://a', HOOKFLEET_KEY_PREFIX: prefix })).toThrow(
    'HOOKFLEET_KEY_PREFIX: must be 1 to 64 characters',
  );
});

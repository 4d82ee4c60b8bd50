/**
 * docker/Dockerfile and docker/redis.conf as files: a linter accepts the first, its versions are those that the tests run
 * on, and Redis accepts the second. `release-check/images.test.ts` builds the images and starts them.
 * Takes under a second.
 */
import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import { validate } from 'dockerfile-utils';
import { Redis } from 'ioredis';
import { DOCKER, textOf } from './docker-files.ts';
import { parseDockerfile } from './release-check/run-dockerfile.ts';

test('a linter finds no fault with the Dockerfile', () => {
  expect(validate(textOf('Dockerfile')).map(({ message, range }) => [range.start.line + 1, message])).toEqual(
    [],
  );
});

test('the Dockerfile pins Node.js to the version that the tests run on, and pnpm to one version', () => {
  const lock = /^ {2}node@(\S+):$/m.exec(textOf('../pnpm-lock.yaml'))?.[1];
  const bases = parseDockerfile(textOf('Dockerfile'))
    .map(({ from }) => from)
    .filter((from) => from.includes(':'));
  expect(new Set(bases)).toEqual(new Set([`node:${lock}-bookworm-slim`]));
  expect(textOf('Dockerfile')).toMatch(/npm install --global .*\bpnpm@\d+\.\d+\.\d+$/m);
});

test('Redis starts with redis.conf, which sets what the guarantees of the fleet need', async () => {
  const server = await startTestRedis({ extraArguments: ['--include', `${DOCKER}redis.conf`] });
  const redis = new Redis(server.url);
  try {
    const text = await readFile(`${DOCKER}redis.conf`, 'utf8');
    const settings = [...text.matchAll(/^([a-z-]+) (.*)$/gm)].map(([, name, value]) => [name, value]);
    expect(Object.fromEntries(settings)).toMatchObject({
      appendonly: 'yes',
      appendfsync: 'everysec',
      'maxmemory-policy': 'noeviction',
    });
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
  } finally {
    redis.disconnect();
    await server.stop();
  }
}, 60_000);

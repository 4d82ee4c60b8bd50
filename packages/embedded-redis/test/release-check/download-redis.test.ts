/**
 * A Redis server that is missing is downloaded from the distribution and started. Needs a network and apt.
 * Takes about 12 s.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { locateRedis, startRedis } from '../../src/index.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hookfleet-embedded-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("without one on the path it comes out of the distribution's package, also if two ask at once", async () => {
  const cacheDirectory = join(directory, 'cache');
  const ask = () => locateRedis({ searchPath: '/nowhere', cacheDirectory });
  const [server, other] = await Promise.all([ask(), ask()]);
  expect(server).toEqual(other);
  const redis = await startRedis({ directory: join(directory, 'fetched'), server });
  await redis.stop();
  // What was downloaded on the way is gone.
  expect(await readdir(cacheDirectory)).toEqual(['redis']);
}, 60_000);

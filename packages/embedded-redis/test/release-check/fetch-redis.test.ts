/** A machine without Redis gets one from its distribution's packages. This needs the network. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { locateRedis, startRedis } from '../../src/index.ts';

test('Redis is fetched when none is on the path, also when two callers ask at once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hookfleet-fetched-'));
  const cacheDirectory = join(directory, 'cache');
  const ask = () => locateRedis({ searchPath: '/nowhere', cacheDirectory });
  const [server, other] = await Promise.all([ask(), ask()]);
  expect(server).toEqual(other);
  const redis = await startRedis({ directory: join(directory, 'data'), server });
  await redis.stop();
  // The downloads and the package lists are removed.
  expect(await readdir(cacheDirectory)).toEqual(['redis']);
  await rm(directory, { recursive: true, force: true });
}, 300_000);

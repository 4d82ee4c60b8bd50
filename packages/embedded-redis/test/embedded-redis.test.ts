/**
 * A Redis of our own: real, persistent, safe to start again, and found or fetched without touching the system.
 * Takes about 4 s.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { locateRedis, RedisServerMissingError, startRedis } from '../src/index.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hookfleet-embedded-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test('it keeps what was written, through a stop, a crash and a new start, and listens on loopback alone', async () => {
  const data = join(directory, 'kept');
  const redis = await startRedis({ directory: data, appendFsync: 'always' });
  const client = new Redis(redis.url);
  await client.set('webhook', 'kept');
  const settings = await client.config('GET', '*');
  const setting = (name: string) => (settings as string[])[(settings as string[]).indexOf(name) + 1];
  expect([setting('maxmemory-policy'), setting('appendonly'), setting('bind')]).toEqual([
    'noeviction',
    'yes',
    '127.0.0.1',
  ]);
  client.disconnect();
  await redis.kill();
  await redis.restart();
  await redis.stop();

  const again = await startRedis({ directory: data });
  const reader = new Redis(again.url);
  expect(await reader.get('webhook')).toBe('kept');
  reader.disconnect();

  await expect(startRedis({ directory: data })).rejects.toThrow(/is the fleet up already\?/);
  await again.stop();
});

test('one that was left behind by a killed process is ended before the next one starts', async () => {
  const data = join(directory, 'orphan');
  const starter = join(directory, 'start.ts');
  await writeFile(
    starter,
    `import { startRedis } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
     const redis = await startRedis({ directory: ${JSON.stringify(data)} });
     console.log(redis.pid());
     setInterval(() => {}, 1000);`,
  );
  const child = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const orphan = Number(String(line));
  child.kill('SIGKILL');
  await once(child, 'exit');
  process.kill(orphan, 0);
  const redis = await startRedis({ directory: data });
  expect(() => process.kill(orphan, 0)).toThrow('ESRCH');
  await redis.stop();
});

test('a server that can not start is told by its own last words', async () => {
  const start = startRedis({ directory: join(directory, 'wrong'), extraArguments: ['--maxclients', 'many'] });
  await expect(start).rejects.toThrow(/Redis ended with status 1 while starting: .*many/s);
});

test('a redis-server or valkey-server on the path is taken before anything is fetched', async () => {
  const path = join(directory, 'valkey-server');
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, 0o755);
  expect(await locateRedis({ searchPath: `/nowhere:${directory}`, download: false })).toEqual({ path });
});

test('where there is none, the message tells the command for each platform', async () => {
  const missing = locateRedis({ searchPath: '/nowhere', download: false });
  await expect(missing).rejects.toThrow(RedisServerMissingError);
  await expect(missing).rejects.toThrow(
    /apt-get install redis-server[\s\S]*dnf[\s\S]*apk[\s\S]*brew[\s\S]*REDIS_URL/,
  );
});

test('its log is in its directory, not on the terminal', async () => {
  const data = join(directory, 'logged');
  const redis = await startRedis({ directory: data });
  await redis.stop();
  expect(await readFile(join(data, 'redis.log'), 'utf8')).toContain('Ready to accept connections');
});

test("without one on the path it is unpacked from the distribution's package, also if two ask at once", async () => {
  const tools = join(directory, 'tools');
  const content = join(directory, 'content');
  await mkdir(join(content, 'DEBIAN'), { recursive: true });
  await mkdir(join(content, 'usr/bin'), { recursive: true });
  await mkdir(tools);
  const control =
    'Package: redis-tools\nVersion: 1\nArchitecture: all\nMaintainer: a test\nDescription: a test\n';
  await writeFile(join(content, 'DEBIAN/control'), control);
  await writeFile(join(content, 'usr/bin/redis-check-rdb'), '#!/bin/sh\n', { mode: 0o755 });
  // The real one needs a network: the release check has it.
  const aptGet = `#!/bin/sh\ncase "$*" in *download*) dpkg-deb --build ${content} redis-tools.deb ;; esac\n`;
  await writeFile(join(tools, 'apt-get'), aptGet, { mode: 0o755 });
  const path = process.env['PATH'];
  process.env['PATH'] = `${tools}:${path}`;
  try {
    const cacheDirectory = join(directory, 'cache');
    const ask = () => locateRedis({ searchPath: '/nowhere', cacheDirectory });
    const [server, other] = await Promise.all([ask(), ask()]);
    expect(server).toEqual(other);
    expect(server?.path).toBe(join(cacheDirectory, 'redis/redis-server'));
    // What was downloaded on the way is gone.
    expect(await readdir(cacheDirectory)).toEqual(['redis']);
  } finally {
    process.env['PATH'] = path;
  }
});

test('one that is to end with its process ends after it, also if that is killed', async () => {
  const data = join(directory, 'guarded');
  const starter = join(directory, 'guard.ts');
  await writeFile(
    starter,
    `import { startRedis } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
     const redis = await startRedis({ directory: ${JSON.stringify(data)}, outlivesUsBy: 0 });
     console.log(redis.pid());
     setInterval(() => {}, 1000);`,
  );
  const child = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [told] = (await once(child.stdout, 'data')) as [Buffer];
  const pid = Number(told.toString());
  expect(() => process.kill(pid, 0)).not.toThrow();
  child.kill('SIGKILL');
  await untilGone(pid);
});

test('it tells of an end that nobody asked for', async () => {
  const asked = await startRedis({ directory: join(directory, 'asked') });
  const other = await startRedis({ directory: join(directory, 'other') });
  await asked.stop();
  process.kill(other.pid() as number, 'SIGKILL');
  expect(await Promise.race([asked.ended, other.ended])).toBe('Redis ended with SIGKILL');
});

/** The test's own time bounds it. */
async function untilGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

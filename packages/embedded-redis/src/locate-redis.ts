/**
 * Finds a Redis server to start: redis-server or valkey-server on the path, else the distribution's own package,
 * unpacked into a cache of the user's. No root is needed and no service of the system is touched or started.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface RedisServer {
  readonly path: string;
  /** Where its libraries are, where the system doesn't have them. */
  readonly libraryPath?: string;
}

export interface LocateOptions {
  readonly searchPath?: string;
  readonly cacheDirectory?: string;
  /** False: don't ask the distribution's package manager. */
  readonly download?: boolean;
}

/** There is none, and none could be had. The message tells what to do on each platform. */
export class RedisServerMissingError extends Error {
  override readonly name = 'RedisServerMissingError';

  constructor(why: string) {
    super(
      [
        `no Redis server found (${why}). Install one:`,
        '  Debian, Ubuntu   apt-get install redis-server',
        '  Fedora, RHEL     dnf install valkey',
        '  Alpine           apk add valkey',
        '  macOS            brew install redis',
        '  Windows          use WSL, or a container',
        'or set REDIS_URL to one that runs.',
      ].join('\n'),
    );
  }
}

const NAMES = ['redis-server', 'valkey-server'];
// In Debian's redis-tools, redis-check-rdb is the server itself: it does what the name it is called by says.
const SERVER_IN_PACKAGE = 'usr/bin/redis-check-rdb';
const PACKAGES = ['redis-tools', 'libjemalloc2', 'liblzf1', 'libatomic1'];
const DOWNLOAD_TIMEOUT_MS = 120_000;

export async function locateRedis(options: LocateOptions = {}): Promise<RedisServer> {
  const { searchPath = process.env['PATH'] ?? '', download = true } = options;
  for (const directory of searchPath.split(delimiter)) {
    for (const name of NAMES) {
      const path = join(directory, name);
      if (directory !== '' && (await isExecutable(path))) return { path };
    }
  }
  if (!download) throw new RedisServerMissingError('none on the path');
  const cache =
    options.cacheDirectory ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'hookfleet');
  const unpacked = join(cache, 'redis');
  const cached = await serverIn(unpacked);
  if (cached !== undefined) return cached;
  try {
    await mkdir(cache, { recursive: true });
    await fetchFromApt(cache, unpacked);
  } catch (error) {
    throw new RedisServerMissingError(
      `apt-get could not provide it: ${(error as Error).message.split('\n')[0]}`,
    );
  }
  const fetched = await serverIn(unpacked);
  if (fetched === undefined) throw new RedisServerMissingError("the distribution's package holds none");
  return fetched;
}

async function serverIn(directory: string): Promise<RedisServer | undefined> {
  const path = join(directory, 'redis-server');
  if (!(await isExecutable(path))) return undefined;
  const libraries = await readdir(join(directory, 'usr/lib')).catch(() => []);
  const libraryPath = libraries.map((name) => join(directory, 'usr/lib', name)).join(delimiter);
  return { path, libraryPath };
}

/** Downloads and unpacks beside the cache, then renames: another process sees all of it or nothing. */
async function fetchFromApt(cache: string, target: string): Promise<void> {
  const work = await mkdtemp(join(cache, 'redis-'));
  try {
    await downloadPackages(work);
    const unpacked = join(work, 'unpacked');
    for (const file of (await readdir(work)).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(work, file), unpacked]);
    }
    await symlink(SERVER_IN_PACKAGE, join(unpacked, 'redis-server'));
    await rename(unpacked, target).catch(async (error: unknown) => {
      // Somebody else was faster.
      if (!(await isExecutable(join(target, 'redis-server')))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function downloadPackages(directory: string): Promise<void> {
  // apt would hand the download to a user of its own, who may not write here.
  const asUser = ['-o', 'APT::Sandbox::User=root'];
  const options = { cwd: directory, timeout: DOWNLOAD_TIMEOUT_MS };
  try {
    await run('apt-get', [...asUser, 'download', ...PACKAGES], options);
  } catch {
    // A machine that never ran `apt-get update` has no package lists: fetch them into a folder of ours.
    const lists = join(directory, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    const own = [...asUser, '-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${directory}`];
    await run('apt-get', [...own, 'update'], options);
    await run('apt-get', [...own, 'download', ...PACKAGES], options);
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

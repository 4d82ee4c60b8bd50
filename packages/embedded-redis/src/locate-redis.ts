/**
 * Finds a Redis server to start: redis-server or valkey-server on the path, else the distribution's own package,
 * unpacked into a cache of the user's. No root is needed and no service of the system is touched or started.
 */
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { findOnPath, unpackDebian } from './unpack-debian.ts';

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

export async function locateRedis(options: LocateOptions = {}): Promise<RedisServer> {
  const path = await findOnPath(NAMES, options.searchPath);
  if (path !== undefined) return { path };
  if (options.download === false) throw new RedisServerMissingError('none on the path');
  try {
    return await unpackDebian({
      name: 'redis',
      packages: PACKAGES,
      program: 'redis-server',
      finish: (unpacked) => symlink(SERVER_IN_PACKAGE, join(unpacked, 'redis-server')),
      cacheDirectory: options.cacheDirectory,
    });
  } catch (error) {
    throw new RedisServerMissingError(
      `apt-get could not provide it: ${(error as Error).message.split('\n')[0]}`,
    );
  }
}

/**
 * A program out of the distribution's packages, unpacked into a cache of the user's. No root is needed, nothing is
 * installed, and no service of the system is touched or started. Debian and its kin only: elsewhere it throws.
 */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const runFile = promisify(execFile);

export interface UnpackOptions {
  /** Folder in the cache. */
  readonly name: string;
  readonly packages: readonly string[];
  /** Path of the program within the packages, without a leading slash. */
  readonly program: string;
  /** Works on what was unpacked, before anybody sees it. */
  readonly finish?: (unpacked: string) => Promise<void>;
  readonly cacheDirectory?: string | undefined;
}

export interface UnpackedProgram {
  readonly path: string;
  /** Where its libraries are, where the system doesn't have them. */
  readonly libraryPath: string;
}

/** The program is searched on the path that this process has now. */
const run = (file: string, given: readonly string[], options: { cwd?: string; timeout?: number } = {}) =>
  runFile(file, given, { ...options, env: process.env });

const DOWNLOAD_TIMEOUT_MS = 120_000;

/** Throws where apt can't provide it. */
export async function unpackDebian(options: UnpackOptions): Promise<UnpackedProgram> {
  const cache =
    options.cacheDirectory ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'hookfleet');
  const target = join(cache, options.name);
  const cached = await programIn(target, options.program);
  if (cached !== undefined) return cached;
  await mkdir(cache, { recursive: true });
  await fetchFromApt(cache, target, options);
  const fetched = await programIn(target, options.program);
  if (fetched === undefined) throw new Error(`${options.packages.join(', ')} hold no ${options.program}`);
  return fetched;
}

/** The first of the names that is on the path. */
export async function findOnPath(
  names: readonly string[],
  searchPath = process.env['PATH'] ?? '',
): Promise<string | undefined> {
  for (const directory of searchPath.split(delimiter)) {
    for (const name of names) {
      const path = join(directory, name);
      if (directory !== '' && (await isExecutable(path))) return path;
    }
  }
  return undefined;
}

async function programIn(directory: string, program: string): Promise<UnpackedProgram | undefined> {
  const path = join(directory, program);
  if (!(await isExecutable(path))) return undefined;
  const libraries = await readdir(join(directory, 'usr/lib')).catch(() => []);
  return { path, libraryPath: libraries.map((name) => join(directory, 'usr/lib', name)).join(delimiter) };
}

/** Downloads and unpacks beside the cache, then renames: another process sees all of it or nothing. */
async function fetchFromApt(
  cache: string,
  target: string,
  { name, packages, program, finish }: UnpackOptions,
): Promise<void> {
  const work = await mkdtemp(join(cache, `${name}-`));
  try {
    await downloadPackages(work, packages);
    const unpacked = join(work, 'unpacked');
    for (const file of (await readdir(work)).filter((one) => one.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(work, file), unpacked]);
    }
    await finish?.(unpacked);
    await rename(unpacked, target).catch(async (error: unknown) => {
      // Somebody else was faster.
      if (!(await isExecutable(join(target, program)))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function downloadPackages(directory: string, packages: readonly string[]): Promise<void> {
  // apt would hand the download to a user of its own, who may not write here.
  const asUser = ['-o', 'APT::Sandbox::User=root'];
  const options = { cwd: directory, timeout: DOWNLOAD_TIMEOUT_MS };
  try {
    await run('apt-get', [...asUser, 'download', ...packages], options);
  } catch {
    // A machine that never ran `apt-get update` has no package lists: fetch them into a folder of ours.
    const lists = join(directory, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    const own = [...asUser, '-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${directory}`];
    await run('apt-get', [...own, 'update'], options);
    await run('apt-get', [...own, 'download', ...packages], options);
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

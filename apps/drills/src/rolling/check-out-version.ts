/**
 * An earlier version of hookfleet as one that runs it has it: its files out of this clone's history, and what it depends on
 * by its own lock file, in a directory of its own. The clone is only read.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeTemporaryDirectory } from '@hookfleet/testkit';
import { ROOT } from '../chaos/fleet-members.ts';

export interface EarlierVersion {
  /** The commit, in full. */
  readonly commit: string;
  /** Its repository's root. */
  readonly root: string;
  remove(): Promise<void>;
}

/** The clone's history does not reach back so far, or this is no clone. */
export class VersionMissingError extends Error {
  override readonly name = 'VersionMissingError';
}

const run = promisify(execFile);
const INSTALL = ['-y', 'pnpm', 'install', '--frozen-lockfile', '--prefer-offline', '--prod'];

/** `ref`: a commit, or a tag or branch. Throws VersionMissingError where the clone doesn't hold it. */
export async function checkOutVersion(ref: string): Promise<EarlierVersion> {
  const commit = await commitOf(ref);
  const directory = await makeTemporaryDirectory('version');
  const root = directory.path;
  try {
    const archive = join(root, 'version.tar');
    await run('git', ['-C', ROOT, 'archive', '--output', archive, commit]);
    await run('tar', ['-xf', archive, '-C', root]);
    await install(root);
  } catch (error) {
    await directory.remove();
    throw error;
  }
  return { commit, root, remove: directory.remove };
}

/** In a process group of its own, all of which ends with this process: it would go on writing to what is removed. */
async function install(root: string): Promise<void> {
  const child = spawn('npx', INSTALL, { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const killGroup = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  process.on('exit', killGroup);
  const [code] = await ended.finally(() => process.off('exit', killGroup));
  if (code !== 0) throw new Error(`npx ${INSTALL.join(' ')} ended with ${String(code)}: ${said}`);
}

async function commitOf(ref: string): Promise<string> {
  try {
    const { stdout } = await run('git', ['-C', ROOT, 'rev-parse', '--verify', '--quiet', `${ref}^{commit}`]);
    return stdout.trim();
  } catch (error) {
    throw new VersionMissingError(
      `this clone does not hold ${ref}: a shallow one gets its history by git fetch --unshallow`,
      { cause: error },
    );
  }
}

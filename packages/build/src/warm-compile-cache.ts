/**
 * Fills the compile cache of a build for a user who may not write it, as in an image. The application only checks its
 * settings; nothing is started.
 */
import { execFile } from 'node:child_process';
import { chmod, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Application } from './build-application.ts';
import { buildApplication } from './build-application.ts';

/** `uid`: Node.js keeps a cache per user, in a folder named …-<uid>, and lets nobody else read it. */
export async function warmCompileCache(application: Application, uid: number): Promise<void> {
  const main = await buildApplication(application);
  const cache = join(dirname(main), 'compile-cache');
  await rm(cache, { recursive: true, force: true });
  const environment = { PATH: process.env['PATH'], HOST: '127.0.0.1', REDIS_URL: 'redis://127.0.0.1' };
  await promisify(execFile)(process.execPath, [main, '--check'], { env: environment });
  const [ours = ''] = await readdir(cache);
  const theirs = join(cache, ours.replace(/-\d+$/, `-${uid}`));
  await rename(join(cache, ours), theirs);
  for (const name of await readdir(theirs)) await chmod(join(theirs, name), 0o644);
}

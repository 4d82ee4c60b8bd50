/** Packs the client as `pnpm publish` does. It needs no network: the pnpm that runs the tests does it. */
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));

/** Returns the path of the tarball. */
export async function packClient(folder: string): Promise<string> {
  const [program, ...first] = pnpmCommand(process.env['npm_execpath'] ?? '');
  const flags = ['--config.verify-deps-before-run=false', '--pack-destination', folder];
  await run(program, [...first, 'pack', ...flags], { cwd: PACKAGE });
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error(`pnpm pack wrote no tarball to ${folder}`);
  return join(folder, tarball);
}

/** Without pnpm, as when Jest is started directly, npx finds the pnpm that installed the workspace in its cache. */
function pnpmCommand(execPath: string): [string, ...string[]] {
  if (/pnpm(\.exe)?$/.test(execPath)) return [execPath];
  if (/pnpm\.[cm]?js$/.test(execPath)) return [process.execPath, execPath];
  return ['npx', '--offline', '-y', 'pnpm'];
}

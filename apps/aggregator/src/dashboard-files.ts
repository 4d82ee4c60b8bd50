/**
 * The dashboard's files, in memory. The page is an application of its own: it is built by a process of its own, the
 * first time only, while this one is already at work; a page that can't be built must not stop the counting.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface DashboardFile {
  readonly contentType: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gz: Buffer;
}

export type DashboardFiles = ReadonlyMap<string, DashboardFile>;

const BUILD = fileURLToPath(new URL('../../dashboard/src/main.ts', import.meta.url));
const BUILD_TIMEOUT_MS = 60_000;

/** Rejects where the page is not built and can't be. */
export async function loadDashboard(): Promise<DashboardFiles> {
  const { stdout } = await promisify(execFile)(process.execPath, [BUILD], { timeout: BUILD_TIMEOUT_MS });
  const directory = stdout.trim();
  const read = (name: string) => readFile(join(directory, name));
  const manifest = JSON.parse(String(await read('manifest.json'))) as { name: string; contentType: string }[];
  const files = manifest.map(async ({ name, contentType }): Promise<[string, DashboardFile]> => {
    const [plain, br, gz] = await Promise.all([read(name), read(`${name}.br`), read(`${name}.gz`)]);
    return [name, { contentType, plain, br, gz }];
  });
  return new Map(await Promise.all(files));
}

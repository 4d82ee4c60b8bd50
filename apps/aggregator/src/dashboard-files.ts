/**
 * The dashboard's files, in memory. The page is an application of its own, and built by a process of its own, where no
 * build of its sources is there: at the first look at it, so that counting neither waits for a page nor fails with it.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const BUILD = fileURLToPath(new URL('../../dashboard/src/main.ts', import.meta.url));
const BUILD_TIMEOUT_MS = 60_000;

export interface DashboardFile {
  readonly contentType: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gz: Buffer;
}

export type DashboardFiles = ReadonlyMap<string, DashboardFile>;

/** Rejects where the page is not built and can't be. */
export type LoadDashboard = () => Promise<DashboardFiles>;

/** Loads once; what failed is tried again at the next look. */
export function createLoadDashboard(onError: (error: Error) => void): LoadDashboard {
  let loading: Promise<DashboardFiles> | undefined;
  return () => {
    loading ??= load().catch((error: Error) => {
      loading = undefined;
      onError(error);
      throw error;
    });
    return loading;
  };
}

async function load(): Promise<DashboardFiles> {
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

/** A memory cgroup of the test's own, as a container has one. Needs root; version 1 and 2. */
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';

export interface MemoryCgroup {
  /** What a process in it starts is in it, with all that it takes from its first moment on. */
  join(): Promise<void>;
  leave(): Promise<void>;
  peakBytes(): Promise<number>;
  remove(): Promise<void>;
}

const VERSIONS = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', peak: 'memory.max_usage_in_bytes' },
  { root: '/sys/fs/cgroup', limit: 'memory.max', peak: 'memory.peak' },
] as const;

/** Undefined where this machine lets nobody have one. */
export async function openMemoryCgroup(limitBytes: number): Promise<MemoryCgroup | undefined> {
  for (const { root, limit, peak } of VERSIONS) {
    const folder = `${root}/hookfleet-test-${process.pid}`;
    try {
      await mkdir(folder);
      await access(`${folder}/${limit}`);
      await writeFile(`${folder}/${limit}`, String(limitBytes));
    } catch {
      await rmdir(folder).catch(() => undefined);
      continue;
    }
    return {
      join: () => writeFile(`${folder}/cgroup.procs`, String(process.pid)),
      leave: () => writeFile(`${root}/cgroup.procs`, String(process.pid)),
      peakBytes: async () => Number(await readFile(`${folder}/${peak}`, 'utf8')),
      remove: () => rmdir(folder),
    };
  }
  return undefined;
}

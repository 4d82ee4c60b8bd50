/** A real process of ours, its logs, and its end. A process that a test leaves behind ends with the test's, however that ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { builtFileOf } from '@hookfleet/build';
import { processEnvironment } from './process-environment.ts';

export interface StartedProcess {
  readonly logs: readonly Record<string, unknown>[];
  /** What isn't JSON, and standard error. */
  readonly lines: readonly string[];
  readonly pid: number;
  /** Resolves to the first log line, earlier or later, that fits. Rejects where the process ends without it. */
  waitForLog(fits: (log: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  signal(signal: NodeJS.Signals): void;
  /** Sends SIGTERM and waits. */
  stop(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  kill(): Promise<void>;
}

const PARENT_CHECK_MS = 500;

/**
 * Options of Node.js for a process that ends when the one that started it is gone, even if that was killed. It is no file:
 * a TypeScript one would load Node's compiler, which is a fifth of an application's start.
 */
export const END_WITH_PARENT = [
  '--import',
  `data:text/javascript,${encodeURIComponent(`
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
    }, ${PARENT_CHECK_MS}).unref();`)}`,
] as const;

// One listener for all of them: a test may start many.
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/**
 * An application of this workspace runs as it does in production: as its build, which build-applications.ts brought up to
 * date. `isBuilt: false` runs its sources.
 */
export function startProcess(
  entry: string,
  environment: Record<string, string>,
  { isBuilt = true } = {},
): StartedProcess {
  const logs: Record<string, unknown>[] = [];
  const lines: string[] = [];
  const waiting = new Set<{
    fits: (log: Record<string, unknown>) => boolean;
    resolve: (log: Record<string, unknown>) => void;
  }>();
  const child: ChildProcess = spawn(
    process.execPath,
    [...END_WITH_PARENT, isBuilt ? builtFileOf(entry) : entry],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...processEnvironment(), ...environment },
    },
  );
  alive.add(child);
  const exited = once(child, 'close').then(([code, signal]) => {
    alive.delete(child);
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on('line', (line) => {
      const log = parseLog(line);
      if (log === undefined) return void lines.push(line);
      logs.push(log);
      for (const waiter of waiting) {
        if (waiter.fits(log)) {
          waiting.delete(waiter);
          waiter.resolve(log);
        }
      }
    });
  }
  return {
    logs,
    lines,
    pid: child.pid ?? 0,
    exited,
    waitForLog(fits) {
      const earlier = logs.find(fits);
      if (earlier !== undefined) return Promise.resolve(earlier);
      const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
      waiting.add({ fits, resolve });
      const ended = exited.then(({ code }) => {
        throw new Error(
          `process ended with ${String(code)}: ${lines.join('\n')} ${JSON.stringify(logs.slice(-3))}`,
        );
      });
      return Promise.race([promise, ended]);
    },
    signal: (signal) => void child.kill(signal),
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function parseLog(line: string): Record<string, unknown> | undefined {
  try {
    return line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

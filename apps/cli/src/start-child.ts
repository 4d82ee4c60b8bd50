/** One application of the fleet as a child process: its log goes to a file, and it is up when it is ready. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { type Application, buildApplication } from '@hookfleet/build';

export interface ChildOptions {
  readonly application: Application;
  readonly port: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
}

export interface Child {
  readonly application: Application;
  readonly url: string;
  readonly pid: number;
  /** Resolves to the exit's description when the process has ended, for whatever reason. */
  readonly ended: Promise<string>;
  /** Asks it to drain, and waits for its end. `atOnce`: it could not record anything, so it is not waited for. */
  stop(atOnce: boolean): Promise<void>;
}

const READY_WITHIN_MS = 30_000;
const POLL_INTERVAL_MS = 50;

/**
 * Preloaded into each process of the fleet: it drains when the command that started it is gone, even if that was killed.
 * It is not a file: a TypeScript file would load Node's compiler.
 */
const DRAIN_WITH_PARENT = `data:text/javascript,${encodeURIComponent(`
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
  process.channel?.unref();`)}`;

/** Rejects with the last lines of the log where the process ends, or isn't ready in time. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { application, port, environment, logFile } = options;
  const entry = await buildApplication(application);
  const log = await open(logFile, 'w');
  const child = spawn(process.execPath, ['--import', DRAIN_WITH_PARENT, entry], {
    // Of a process group of its own: Ctrl-C reaches the command, which then stops the fleet in order.
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
    env: { ...environment, HOST: '127.0.0.1', PORT: String(port) },
  });
  await log.close();
  const ended = once(child, 'exit').then(([code, signal]) => `${application} ended with ${code ?? signal}`);
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilReady(child, `${url}/readyz`);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${(error as Error).message}\n${await tailOf(logFile)}`);
  }
  return {
    application,
    url,
    pid: child.pid ?? 0,
    ended,
    async stop(atOnce) {
      child.kill(atOnce ? 'SIGKILL' : 'SIGTERM');
      await ended;
    },
  };
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('did not start:');
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    if (performance.now() > deadline) throw new Error(`is not ready after ${READY_WITHIN_MS / 1000} s:`);
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
}

/** What a person needs to see: the lines that aren't JSON tell why a start failed, else the log's end does. */
async function tailOf(logFile: string): Promise<string> {
  const lines = (await readFile(logFile, 'utf8')).trim().split('\n');
  const told = lines.filter((line) => !line.startsWith('{'));
  return (told.length > 0 ? told : lines).slice(-10).join('\n');
}

export interface ChosenPort {
  readonly port: number;
  /** The preferred one, if something else uses it. */
  readonly inUse?: number;
}

/** The port, or a free one if it is in use. */
export async function choosePort(preferred: number): Promise<ChosenPort> {
  const port = (await portIfFree(preferred)) ?? (await portIfFree(0)) ?? preferred;
  return { port, ...(port !== preferred && { inUse: preferred }) };
}

async function portIfFree(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}

/**
 * Starts a real, persistent Redis of our own: append-only file, no eviction, loopback, its own directory and port.
 * It runs in a process group of its own, so that Ctrl-C reaches the fleet first and Redis last, and it is ended with
 * the process that started it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { locateRedis, type RedisServer } from './locate-redis.ts';

export interface StartRedisOptions {
  /** Where its data is kept; made where it is missing. */
  readonly directory: string;
  /** A free one when absent. */
  readonly port?: number;
  /** everysec (the default) may lose the last second when the machine fails; always loses nothing and is slower. */
  readonly appendFsync?: 'always' | 'everysec' | 'no';
  readonly extraArguments?: readonly string[];
  readonly server?: RedisServer;
  /**
   * Ends it so many milliseconds after this process has ended, however that ended: what it has started may need Redis for as
   * long. Without it, one that is killed leaves its Redis behind until it is started again.
   */
  readonly outlivesUsBy?: number;
}

export interface EmbeddedRedis {
  readonly url: string;
  readonly port: number;
  pid(): number | undefined;
  /** Resolves to how it ended, if it ends without having been asked to. */
  readonly ended: Promise<string>;
  /** Ends it as SIGTERM does: its data is written. */
  stop(): Promise<void>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and data. */
  restart(): Promise<void>;
  /** Freezes it: it keeps its connections and answers nothing. */
  suspend(): void;
  resume(): void;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
const PORT_TRIES = 5;
const PID_FILE = 'redis.pid';

// One listener for all of them: a process may start many.
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) {
    // One that was frozen would not hear the other.
    child.kill('SIGCONT');
    child.kill('SIGTERM');
  }
});

export async function startRedis(options: StartRedisOptions): Promise<EmbeddedRedis> {
  const server = options.server ?? (await locateRedis());
  await mkdir(options.directory, { recursive: true });
  await endOrphan(options.directory);
  let port = options.port ?? 0;
  let child: ChildProcess | undefined;
  for (let tries = 1; child === undefined; tries += 1) {
    if (options.port === undefined) port = await freePort();
    try {
      child = await launch(server, options, port);
    } catch (error) {
      // Between finding a free port and using it, somebody else may have taken it.
      if (options.port !== undefined || tries === PORT_TRIES) throw error;
    }
  }
  let running: ChildProcess = child;
  const { promise: ended, resolve: onEnded } = Promise.withResolvers<string>();
  const asked = new Set<ChildProcess>();
  const watch = (one: ChildProcess) =>
    one.once('exit', (code, signal) => {
      if (!asked.has(one)) onEnded(`Redis ended with ${code ?? signal}`);
    });
  watch(running);
  const guard = options.outlivesUsBy === undefined ? undefined : guardOf(running, options.outlivesUsBy);

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    asked.add(running);
    guard?.kill();
    if (running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, 'exit');
    running.kill('SIGCONT');
    running.kill(signal);
    const timer = setTimeout(() => running.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
    // One that was killed left it: soon the number may be another's.
    await rm(join(options.directory, PID_FILE), { force: true });
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: () => running.pid,
    ended,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      running = await launch(server, options, port);
      watch(running);
    },
    suspend: () => void running.kill('SIGSTOP'),
    resume: () => void running.kill('SIGCONT'),
  };
}

async function launch(server: RedisServer, options: StartRedisOptions, port: number): Promise<ChildProcess> {
  const { directory, appendFsync = 'everysec', extraArguments = [] } = options;
  const log = await open(join(directory, 'redis.log'), 'a');
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    dir: directory,
    pidfile: join(directory, PID_FILE),
    daemonize: 'no',
    appendonly: 'yes',
    appendfsync: appendFsync,
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  const args = [
    ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    ...extraArguments,
  ];
  const child = spawn(server.path, args, {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    env: { ...process.env, ...(server.libraryPath !== undefined && { LD_LIBRARY_PATH: server.libraryPath }) },
  });
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  try {
    const exited = once(child, 'exit').then(async ([code]) => {
      const tail = (await readFile(join(directory, 'redis.log'), 'utf8'))
        .trim()
        .split('\n')
        .slice(-3)
        .join(' | ');
      throw new Error(`Redis ended with status ${String(code)} while starting: ${tail}`);
    });
    const { serving, giveUp } = untilServing(port);
    await Promise.race([serving, exited.finally(giveUp)]);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    await log.close();
  }
  child.unref();
  return child;
}

/** Waits for the end of this process, which closes its input, and then ends the server. */
function guardOf({ pid }: ChildProcess, afterMs: number): ChildProcess {
  const script = 'read -r _; sleep "$2"; kill "$1"';
  const guard = spawn('/bin/sh', ['-c', script, 'sh', String(pid), String(Math.ceil(afterMs / 1_000))], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return guard;
}

/** Up, and done with loading its data. */
function untilServing(port: number): { serving: Promise<unknown>; giveUp: () => void } {
  const redis = new Redis({
    host: '127.0.0.1',
    port,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
    // A replica that is ready may load its master's copy right after. 2: the command is sent again.
    reconnectOnError: ({ message }) => (message.startsWith('LOADING') ? 2 : false),
    // How long a socket that is already closed is waited for.
    disconnectTimeout: 10,
  });
  redis.on('error', () => undefined);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`Redis did not serve within ${START_TIMEOUT_MS} ms`)),
    START_TIMEOUT_MS,
  );
  const giveUp = () => {
    clearTimeout(timer);
    redis.disconnect();
  };
  // ioredis is ready only when INFO says that nothing is being loaded.
  const serving = Promise.race([redis.ping(), late]).finally(giveUp);
  return { serving, giveUp };
}

/**
 * Two servers on one append-only file would ruin it. Rejects where another process uses the directory; ends a server
 * that was left behind by one that was killed.
 */
async function endOrphan(directory: string): Promise<void> {
  const [pid, owner] = await Promise.all([PID_FILE, 'owner.pid'].map((name) => readPid(directory, name)));
  if (pid !== undefined && (await isRedis(pid))) {
    if (owner !== undefined && isAlive(owner))
      throw new Error(`process ${owner} already runs a Redis on ${directory}: is the fleet up already?`);
    process.kill(pid, 'SIGTERM');
    const deadline = performance.now() + STOP_TIMEOUT_MS;
    while (isAlive(pid)) {
      if (performance.now() > deadline)
        throw new Error(`the Redis on ${directory}, process ${pid}, does not end`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  await writeFile(join(directory, 'owner.pid'), String(process.pid));
}

async function readPid(directory: string, name: string): Promise<number | undefined> {
  const pid = Number(await readFile(join(directory, name), 'utf8').catch(() => ''));
  return pid > 0 ? pid : undefined;
}

/** After a restart of the machine the number may belong to anybody. */
async function isRedis(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => 'redis');
  return /redis|valkey/.test(command);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

// Below those that systems give to connections that go out: one of these may be taken before it is used, or while a server
// is started again on it.
const PORTS = [15_000, 32_000] as const;

/** On loopback. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(...PORTS);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}

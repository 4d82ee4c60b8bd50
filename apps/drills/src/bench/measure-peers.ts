/**
 * What one could pick instead: a job queue of another language with that language's HTTP client, on the same webhooks,
 * to the same receiver, signing and counting as well. Not installed by us (Debian: ruby-sidekiq; python3-celery
 * python3-requests python3-redis): who hasn't got one is told, and it is left out.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { startTestRedis } from '@hookfleet/testkit';
import { Redis } from 'ioredis';
import { measureRate } from './measure-rate.ts';
import { BODY, SIGNING_SECRET } from './samples.ts';
import { startReceiver } from './start-receiver.ts';

export interface PeerSettings {
  readonly name: string;
  readonly processes: number;
  readonly args: readonly string[];
}

export interface Peer {
  readonly name: 'sidekiq' | 'celery';
  /** How it comes, and the fastest of those that were tried: the programs tell which. */
  readonly settings: readonly PeerSettings[];
  /** Programs that can run it; the first that has its libraries does. */
  readonly candidates: readonly string[];
  readonly check: readonly string[];
  readonly enqueue: readonly string[];
  readonly work: readonly string[];
}

const CELERY_WORK = ['-m', 'celery', '--app', 'celery_peer', 'worker', '--loglevel', 'WARNING'];

export const PEERS: readonly Peer[] = [
  {
    name: 'sidekiq',
    candidates: ['ruby'],
    check: ['-e', 'require "sidekiq"'],
    enqueue: ['sidekiq_peer.rb'],
    // The command `sidekiq`, wherever this Ruby keeps it.
    work: ['-S', 'sidekiq', '-r', './sidekiq_peer.rb', '-q', 'webhooks', '-e', 'production'],
    settings: [
      { name: 'one process', processes: 1, args: ['-c', '10'] },
      { name: 'two processes', processes: 2, args: ['-c', '10'] },
    ],
  },
  {
    name: 'celery',
    // Debian's own, where somebody has another Python before it on the path.
    candidates: ['python3', '/usr/bin/python3'],
    check: ['-c', 'import celery, redis, requests'],
    enqueue: ['celery_peer.py'],
    work: [...CELERY_WORK, '--without-gossip', '--without-mingle', '--without-heartbeat'],
    settings: [
      { name: 'one process', processes: 1, args: ['-O', 'fair', '--concurrency', '2'] },
      { name: 'two processes', processes: 2, args: ['--pool', 'solo'] },
    ],
  },
];

const FOLDER = fileURLToPath(new URL('peers/', import.meta.url));

/** The program that runs it. Undefined where it is not installed. */
export async function findPeer({ candidates, check }: Peer): Promise<string | undefined> {
  for (const program of candidates) if (await runs(program, ...check)) return program;
  return undefined;
}

async function runs(program: string, ...args: string[]): Promise<boolean> {
  return promisify(execFile)(program, args).then(
    () => true,
    () => false,
  );
}

/** Webhooks a second. */
export async function measurePeer(
  { enqueue, work }: Peer,
  program: string,
  { processes, args }: PeerSettings,
  webhooks: number,
): Promise<number> {
  const { receiver, url } = await startReceiver();
  const server = await startTestRedis();
  const redis = new Redis(server.url);
  const environment = [
    `REDIS_URL=${server.url}`,
    `PEER_URL=${url}`,
    `PEER_SIGNING_SECRET=${SIGNING_SECRET}`,
    'LANG=C.UTF-8',
    // Celery refuses to run as root without it, as in a container.
    'C_FORCE_ROOT=1',
    'PYTHONDONTWRITEBYTECODE=1',
    program,
  ];
  const workers: ReturnType<typeof startWorker>[] = [];
  try {
    await runToEnd([...environment, ...enqueue, String(webhooks)]);
    for (let i = 0; i < processes; i += 1) workers.push(startWorker([...environment, ...work, ...args]));
    const rate = measureRate({
      receiver,
      webhooks,
      counted: async () => Number(await redis.hget('campaign:bench', 'webhook.delivered')),
      cpuMicros: async () => ({}),
    });
    const { perSecond } = await Promise.race([rate, ...workers.map(({ failed }) => failed)]);
    return perSecond;
  } finally {
    for (const worker of workers) await worker.kill();
    redis.disconnect();
    await server.stop();
    await receiver.stop();
  }
}

async function runToEnd(command: readonly string[]): Promise<void> {
  const child = spawn('env', command, { cwd: FOLDER, stdio: ['pipe', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  child.stdin.end(BODY);
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${String(code)}: ${complaints}`);
}

/** In a process group of its own, with whatever it forks. */
function startWorker(command: readonly string[]) {
  const child = spawn('env', command, { cwd: FOLDER, detached: true, stdio: 'ignore' });
  const killGroup = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  process.on('exit', killGroup);
  const ended = once(child, 'exit');
  const failed = ended.then(([code]): never => {
    throw new Error(`${command.join(' ')} ended with ${String(code)}`);
  });
  // It ends when it is killed, too, and then nobody listens.
  failed.catch(() => undefined);
  return {
    failed,
    async kill() {
      killGroup();
      await ended;
      process.off('exit', killGroup);
    },
  };
}

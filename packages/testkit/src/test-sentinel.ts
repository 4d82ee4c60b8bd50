/**
 * A master of Redis, its replica, and three sentinels that watch over them: real ones, on loopback, in a hurry. The
 * replica is promoted a second or two after its master has gone, and a master that comes back is made a replica soon.
 * Replica, sentinels and clients are users of their own, so that the networks between them can fail one by one.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EmbeddedRedis, freePort, locateRedis } from '@hookfleet/embedded-redis';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import {
  ask,
  type FailingRedis,
  type FailingRedisOptions,
  failingArguments,
  letIn,
  REPLICA,
  shutOut,
  userArguments,
} from './failing-redis.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { startTestRedis } from './test-redis.ts';

export interface TestSentinel extends FailingRedis {
  /** Freezes the sentinel that stands first in the URL: two of three are left to agree. It is ended with the others. */
  suspendSentinel(): void;
}

export interface TestSentinelOptions extends FailingRedisOptions {
  /** Of the sentinels; none when absent. */
  readonly sentinelPassword?: string;
}

const REPLICAS = 1;
const SENTINELS = 3;
const QUORUM = 2;
const MASTER_NAME = 'hookfleet';
// A master that is silent for so long is held for dead.
const DOWN_AFTER_MS = 1_000;
const WAIT_MS = 1_000;
// A failover that came to nothing is tried again after twice this.
const FAILOVER_TIMEOUT_MS = 2_000;
const SENTINEL = 'sentinel';
// As whom a sentinel comes that was refused as itself.
const ANYONE = 'default';
// How often sentinels tell each other of the master, and ask each node for its role. A node that wrongly holds itself for
// the master is put right after some of both: with Redis' own 2 and 10 s, the tests would wait for that alone.
const PERIODS_MS = { 'PUBLISH-PERIOD': 300, 'INFO-PERIOD': 300 } as const;

export async function startTestSentinel({
  password = 'fleet',
  sentinelPassword,
  minReplicasToWrite = 0,
}: TestSentinelOptions = {}): Promise<TestSentinel> {
  const extraArguments = [
    ...failingArguments({ password, minReplicasToWrite }),
    ...userArguments(SENTINEL, SENTINEL),
  ];
  const nodes = await Promise.all(
    Array.from({ length: 1 + REPLICAS }, () => startTestRedis({ extraArguments })),
  );
  const [first] = nodes as [EmbeddedRedis];
  const sentinels: SentinelProcess[] = [];

  async function master(): Promise<EmbeddedRedis> {
    const ports = await Promise.all(
      sentinels.slice(-QUORUM).map(async ({ admin }) => {
        const [, port] = (await admin.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)) as string[];
        return Number(port);
      }),
    );
    const found = nodes.find(({ port }) => ports.filter((one) => one === port).length >= QUORUM);
    if (found === undefined) throw new Error(`sentinels don't agree: ${ports.join(', ')}`);
    return found;
  }

  async function stop(): Promise<void> {
    await Promise.all(sentinels.map((sentinel) => sentinel.stop()));
    await Promise.all(nodes.map((node) => node.stop()));
  }

  try {
    await Promise.all(
      nodes.slice(1).map((node) => ask(node, (redis) => redis.replicaof('127.0.0.1', first.port))),
    );
    for (let i = 0; i < SENTINELS; i += 1)
      sentinels.push(
        await startSentinel(sentinelPassword, [
          `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${first.port} ${QUORUM}`,
          `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
          `sentinel failover-timeout ${MASTER_NAME} ${FAILOVER_TIMEOUT_MS}`,
          `sentinel auth-user ${MASTER_NAME} ${SENTINEL}`,
          `sentinel auth-pass ${MASTER_NAME} ${SENTINEL}`,
        ]),
      );
    await eventually(
      async () => {
        for (const { admin } of sentinels) {
          const facts = toMap((await admin.call('SENTINEL', 'MASTER', MASTER_NAME)) as string[]);
          if (
            facts.get('num-slaves') !== String(REPLICAS) ||
            facts.get('num-other-sentinels') !== String(SENTINELS - 1)
          )
            throw new Error(`a sentinel does not know all of them: ${JSON.stringify([...facts])}`);
        }
      },
      { timeoutMs: 60_000 },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  const addresses = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const query = sentinelPassword === undefined ? '' : `?sentinel_password=${sentinelPassword}`;
  return {
    url: `redis+sentinel://fleet:${password}@${addresses}/${MASTER_NAME}${query}`,
    suspendSentinel: () => sentinels[0]?.suspend(),
    master,
    async untilMasterIsNot(old, timeoutMs = 60_000) {
      return eventually(
        async () => {
          const found = await master();
          if (found === old) throw new Error('the master is still the one of before');
          return found;
        },
        { timeoutMs },
      );
    },
    async untilReplicated() {
      await eventually(
        async () => {
          const leader = await master();
          // INFO, which a connection begins with, is the command whose place in the stream WAIT goes by.
          const have = await ask(leader, (redis) => redis.wait(REPLICAS, WAIT_MS));
          if (have < REPLICAS) throw new Error(`${have} of ${REPLICAS} replicas have what the master has`);
        },
        { timeoutMs: 60_000, intervalMs: 50 },
      );
    },
    holdReplication: (node) => shutOut(node, [REPLICA]),
    isolate: (node) => shutOut(node, [REPLICA, SENTINEL, ANYONE]),
    async rejoin(node) {
      await letIn(node, [REPLICA, SENTINEL, ANYONE]);
    },
    async failOver() {
      // It is refused while a sentinel is not through with the failover before, or has not heard enough of the replica.
      await eventually(() => sentinels.at(-1)?.admin.call('SENTINEL', 'FAILOVER', MASTER_NAME), {
        timeoutMs: 60_000,
      });
    },
    stop,
  };
}

interface SentinelProcess {
  readonly port: number;
  readonly admin: Redis;
  suspend(): void;
  stop(): Promise<void>;
}

async function startSentinel(
  password: string | undefined,
  settings: readonly string[],
): Promise<SentinelProcess> {
  const directory = await makeTemporaryDirectory('sentinel');
  const [server, port] = [await locateRedis(), await freePort()];
  // It writes what it learns into its own configuration.
  const file = join(directory.path, 'sentinel.conf');
  await writeFile(
    file,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${directory.path}`,
      'logfile sentinel.log',
      `pidfile ${directory.path}/redis.pid`,
      ...settings,
      ...(password === undefined ? [] : [`requirepass ${password}`, `sentinel sentinel-pass ${password}`]),
      '',
    ].join('\n'),
  );
  const child: ChildProcess = spawn(server.path, [file, '--sentinel'], {
    stdio: 'ignore',
    env: { ...process.env, ...(server.libraryPath !== undefined && { LD_LIBRARY_PATH: server.libraryPath }) },
  });
  const endWithUs = () => void child.kill('SIGKILL');
  process.on('exit', endWithUs);
  const exited = once(child, 'exit');
  const admin = new Redis({
    host: '127.0.0.1',
    port,
    ...(password !== undefined && { password }),
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
  });
  admin.on('error', () => undefined);
  await Promise.race([
    admin.call('SENTINEL', 'DEBUG', ...Object.entries(PERIODS_MS).flat()),
    exited.then(([code]) => {
      throw new Error(`the sentinel ended with status ${String(code)} while starting`);
    }),
  ]);
  return {
    port,
    admin,
    suspend: () => void child.kill('SIGSTOP'),
    async stop() {
      process.off('exit', endWithUs);
      admin.disconnect();
      child.kill('SIGTERM');
      child.kill('SIGCONT');
      await exited;
      await directory.remove();
    },
  };
}

function toMap(pairs: readonly string[]): Map<string, string> {
  return new Map(pairs.flatMap((name, i) => (i % 2 === 0 ? [[name, pairs[i + 1] ?? ''] as const] : [])));
}

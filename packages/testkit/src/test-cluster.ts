/** A Redis Cluster of three masters, real ones, on loopback: alone, or each with a replica that takes its place. */
import { type EmbeddedRedis, freePort } from '@hookfleet/embedded-redis';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { startTestRedis } from './test-redis.ts';

export interface TestCluster {
  /** As REDIS_URL takes it. */
  readonly url: string;
  /** The masters of the beginning, in the order of their slots, and then their replicas in the same order. */
  readonly nodes: readonly EmbeddedRedis[];
  /** Resolves when each of the nodes holds the cluster for well, or for failed. One that hangs is not to be asked. */
  untilState(state: 'ok' | 'fail', asked: readonly EmbeddedRedis[]): Promise<void>;
  stop(): Promise<void>;
}

export interface TestClusterOptions {
  /** Of each master. 0 when absent. */
  readonly replicas?: 0 | 1;
  /** A node that is silent for so long is held for dead. */
  readonly nodeTimeoutMs?: number;
}

const SLOTS = 16_384;
const MASTERS = 3;
const NODE_TIMEOUT_MS = 15_000;

export async function startTestCluster({
  replicas = 0,
  nodeTimeoutMs = NODE_TIMEOUT_MS,
}: TestClusterOptions = {}): Promise<TestCluster> {
  const size = MASTERS * (1 + replicas);
  const members = await Promise.all(
    Array.from({ length: size }, async () => {
      const busPort = await freePort();
      const settings = {
        'cluster-enabled': 'yes',
        'cluster-port': busPort,
        'cluster-node-timeout': nodeTimeoutMs,
        // A replica that was away for longer than its master is told to be stands for election all the same.
        'cluster-replica-validity-factor': 0,
        'repl-diskless-sync-delay': 0,
      };
      const node = await startTestRedis({
        extraArguments: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
      });
      return { node, busPort, admin: new Redis(node.url) };
    }),
  );
  const nodes = members.map(({ node }) => node);
  const masters = members.slice(0, MASTERS);
  for (const [i, { admin, node, busPort }] of members.entries()) {
    if (i < MASTERS) await admin.call('CLUSTER', 'ADDSLOTSRANGE', slotsBefore(i), slotsBefore(i + 1) - 1);
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    // Each meets each: what they learn of others by gossip alone takes seconds.
    for (const other of members.slice(0, i))
      await other.admin.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPort);
  }

  async function untilState(state: 'ok' | 'fail', asked: readonly EmbeddedRedis[]): Promise<void> {
    await Promise.all(
      asked.map(async ({ url }) => {
        const admin = new Redis(url);
        try {
          await eventually(async () => {
            const info = String(await admin.call('CLUSTER', 'INFO'));
            if (!info.includes(`cluster_state:${state}`) || !info.includes(`cluster_known_nodes:${size}`))
              throw new Error(info);
          });
        } finally {
          admin.disconnect();
        }
      }),
    );
  }

  await untilState('ok', nodes);
  for (const [i, { admin }] of members.slice(MASTERS).entries()) {
    const master = masters[i] as (typeof masters)[number];
    const masterId = String(await master.admin.call('CLUSTER', 'MYID'));
    // It does not know the master before it has heard of it.
    await eventually(() => admin.call('CLUSTER', 'REPLICATE', masterId));
    await eventually(async () => {
      const info = await admin.info('replication');
      if (!info.includes('master_link_status:up')) throw new Error(info);
    });
  }
  for (const { admin } of members) admin.disconnect();
  return {
    url: masters.map(({ node }) => node.url).join(','),
    nodes,
    untilState,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

/** The first slot of a master. */
function slotsBefore(master: number): number {
  return Math.ceil((master * SLOTS) / MASTERS);
}

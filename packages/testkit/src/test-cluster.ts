/** A Redis Cluster of three masters, real ones, on loopback: alone, or each with a replica that takes its place. */
import { type EmbeddedRedis, freePort } from '@hookfleet/embedded-redis';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import { startTestRedis } from './test-redis.ts';

export interface TestCluster {
  /** As REDIS_URL takes it. */
  readonly url: string;
  /** The masters of the beginning, in the order of their slots, and then their replicas in the same order. */
  readonly nodes: readonly EmbeddedRedis[];
  /** Resolves when each of the nodes holds the cluster for well, or for failed. One that hangs is not to be asked. */
  untilState(state: 'ok' | 'fail', asked: readonly EmbeddedRedis[]): Promise<void>;
  /** The node and the others don't hear of each other any more. Clients reach it still. */
  isolate(node: EmbeddedRedis): void;
  /** Ends that, for all nodes. */
  rejoin(): void;
  stop(): Promise<void>;
}

export interface TestClusterOptions {
  /** Of each master. 0 when absent. */
  readonly replicas?: 0 | 1;
  /** A node that is silent for so long is held for dead. */
  readonly nodeTimeoutMs?: number;
  /** For each node's Redis. */
  readonly extraArguments?: readonly string[];
  /** For each one's own: by its place. */
  readonly argumentsOf?: (node: number) => Promise<readonly string[]>;
}

const SLOTS = 16_384;
const MASTERS = 3;
const NODE_TIMEOUT_MS = 15_000;
// Where a message of the cluster bus names its sender (clusterMsg of Redis' cluster_legacy.h).
const SENDER = [40, 80] as const;

export async function startTestCluster({
  replicas = 0,
  nodeTimeoutMs = NODE_TIMEOUT_MS,
  extraArguments = [],
  argumentsOf = async () => [],
}: TestClusterOptions = {}): Promise<TestCluster> {
  const size = MASTERS * (1 + replicas);
  const members = await Promise.all(
    Array.from({ length: size }, async (_, i) => {
      const busPort = await freePort();
      // The others come to it through this.
      const bus = await startTcpProxy({ port: busPort });
      const settings = {
        'cluster-enabled': 'yes',
        'cluster-port': busPort,
        'cluster-announce-bus-port': bus.port,
        'cluster-node-timeout': nodeTimeoutMs,
        // A replica stands for election however long its link to the master was down.
        'cluster-replica-validity-factor': 0,
        'repl-diskless-sync-delay': 0,
      };
      const node = await startTestRedis({
        extraArguments: [
          ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
          ...extraArguments,
          ...(await argumentsOf(i)),
        ],
      });
      const admin = new Redis(node.url);
      return { node, bus, admin, id: String(await admin.call('CLUSTER', 'MYID')) };
    }),
  );
  const nodes = members.map(({ node }) => node);
  const masters = members.slice(0, MASTERS);
  for (const [i, { admin, node, bus }] of members.entries()) {
    if (i < MASTERS) await admin.call('CLUSTER', 'ADDSLOTSRANGE', slotsBefore(i), slotsBefore(i + 1) - 1);
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    // Each meets each: what they learn of others by gossip alone takes seconds.
    for (const other of members.slice(0, i))
      await other.admin.call('CLUSTER', 'MEET', '127.0.0.1', node.port, bus.port);
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
    // It does not know the master before it has heard of it.
    await eventually(() => admin.call('CLUSTER', 'REPLICATE', master.id));
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
    isolate(node) {
      const isolated = members.find((member) => member.node === node);
      for (const { bus } of members)
        bus.onRequest(
          (message) => bus !== isolated?.bus && message.toString('latin1', ...SENDER) !== isolated?.id,
        );
    },
    rejoin() {
      for (const { bus } of members) {
        bus.onRequest(undefined);
        // What was held back on a connection is held back until it ends.
        bus.cut();
      }
    },
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
      await Promise.all(members.map(({ bus }) => bus.close()));
    },
  };
}

/** The first slot of a master. */
function slotsBefore(master: number): number {
  return Math.ceil((master * SLOTS) / MASTERS);
}

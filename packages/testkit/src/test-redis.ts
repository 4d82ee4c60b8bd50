/** Real Redis for a test: its own data, gone afterwards. */
import { type EmbeddedRedis, freePort, startRedis } from '@hookfleet/embedded-redis';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

export async function startTestRedis(
  options: { appendFsync?: 'always' | 'no'; extraArguments?: string[] } = {},
): Promise<EmbeddedRedis> {
  const directory = await makeTemporaryDirectory('redis');
  const redis = await startRedis({ directory: directory.path, appendFsync: 'no', ...options });
  return {
    ...redis,
    async stop() {
      await redis.stop();
      await directory.remove();
    },
  };
}

export interface TestCluster {
  /** As REDIS_URL takes it. */
  readonly url: string;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const MASTERS = 3;

/** A Redis Cluster of three masters. */
export async function startTestCluster(): Promise<TestCluster> {
  const nodes = await Promise.all(
    Array.from({ length: MASTERS }, async () => {
      const busPort = await freePort();
      const node = await startTestRedis({
        extraArguments: ['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
      });
      return { node, busPort, admin: new Redis(node.url) };
    }),
  );
  for (const [i, { admin, node, busPort }] of nodes.entries()) {
    await admin.call(
      'CLUSTER',
      'ADDSLOTSRANGE',
      Math.ceil((i * SLOTS) / MASTERS),
      Math.ceil(((i + 1) * SLOTS) / MASTERS) - 1,
    );
    await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    // Each meets each: what they learn of others by gossip alone takes seconds.
    for (const other of nodes.slice(0, i))
      await other.admin.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPort);
  }
  await eventually(
    async () => {
      for (const { admin } of nodes) {
        const info = String(await admin.call('CLUSTER', 'INFO'));
        if (!info.includes('cluster_state:ok') || !info.includes(`cluster_known_nodes:${MASTERS}`))
          throw new Error(info);
      }
    },
    { timeoutMs: 30_000, intervalMs: 100 },
  );
  for (const { admin } of nodes) admin.disconnect();
  return {
    url: nodes.map(({ node }) => node.url).join(','),
    async stop() {
      await Promise.all(nodes.map(({ node }) => node.stop()));
    },
  };
}

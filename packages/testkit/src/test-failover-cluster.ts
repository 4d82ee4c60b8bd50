/**
 * A Redis Cluster of three masters, each with a replica that takes its place some four seconds after it has gone. The masters
 * are made to fail in turns.
 */
import type { EmbeddedRedis } from '@hookfleet/embedded-redis';
import { eventually } from './eventually.ts';
import {
  ask,
  type FailingRedis,
  type FailingRedisOptions,
  failingArguments,
  letIn,
  REPLICA,
  shutOut,
} from './failing-redis.ts';
import { startTestCluster } from './test-cluster.ts';

// The buses pass through the drill: what is busy for a second must not be held for dead.
const NODE_TIMEOUT_MS = 3_000;
const MASTERS = 3;
const WAIT_MS = 1_000;
// After five seconds Redis gives an exchange up.
const EXCHANGE_MS = 6_000;

type Pair = readonly [EmbeddedRedis, EmbeddedRedis];

export async function startTestFailoverCluster({
  password = 'fleet',
  minReplicasToWrite = 0,
}: FailingRedisOptions = {}): Promise<FailingRedis> {
  const cluster = await startTestCluster({
    replicas: 1,
    nodeTimeoutMs: NODE_TIMEOUT_MS,
    extraArguments: failingArguments({ password, minReplicasToWrite }),
  });
  const { nodes } = cluster;
  const pairs = Array.from({ length: MASTERS }, (_, i) => [nodes[i], nodes[i + MASTERS]] as unknown as Pair);
  let turn = 0;
  let pair = pairs[0] as Pair;

  async function isMaster(node: EmbeddedRedis): Promise<boolean> {
    const [role] = (await ask(node, (redis) => redis.role())) as [string];
    return role === 'master';
  }

  function otherOf(node: EmbeddedRedis): EmbeddedRedis {
    return pair[0] === node ? pair[1] : pair[0];
  }

  async function masterOfPair(): Promise<EmbeddedRedis> {
    const roles = await Promise.all(pair.map(isMaster));
    const masters = pair.filter((_, i) => roles[i]);
    if (masters.length !== 1) throw new Error(`${masters.length} of the two hold themselves for the master`);
    return masters[0] as EmbeddedRedis;
  }

  async function untilReplicated(): Promise<void> {
    await eventually(async () => {
      const master = await masterOfPair();
      const have = await ask(master, (redis) => redis.wait(1, WAIT_MS));
      if (have < 1) throw new Error('the replica has not what its master has');
    });
  }

  return {
    url: nodes.map(({ port }) => `redis://fleet:${password}@127.0.0.1:${port}`).join(','),
    async master() {
      pair = pairs[turn++ % MASTERS] as Pair;
      return eventually(masterOfPair);
    },
    async untilMasterIsNot(old, timeoutMs = 60_000) {
      const next = otherOf(old);
      await eventually(
        async () => {
          if (await isMaster(next)) return;
          const seen = await ask(next, (redis) => redis.call('CLUSTER', 'NODES'));
          throw new Error(`the master is still the one of before, as its replica sees it:\n${String(seen)}`);
        },
        { timeoutMs },
      );
      await cluster.untilState(
        'ok',
        nodes.filter((node) => node !== old),
      );
      return next;
    },
    untilReplicated,
    holdReplication: (node) => shutOut(node, [REPLICA]),
    async isolate(node) {
      cluster.isolate(node);
      await shutOut(node, [REPLICA]);
    },
    async rejoin(node) {
      cluster.rejoin();
      await letIn(node, [REPLICA]);
    },
    async failOver() {
      const master = await eventually(masterOfPair);
      // An exchange waits for what the replica lacks, and the master's clients wait with it.
      await letIn(master, [REPLICA]);
      await untilReplicated();
      const replica = otherOf(master);
      await eventually(
        async () => {
          if (await isMaster(replica)) return;
          await ask(replica, (connection) => connection.call('CLUSTER', 'FAILOVER'));
          throw new Error('the exchange is under way');
        },
        { intervalMs: EXCHANGE_MS },
      );
    },
    stop: cluster.stop,
  };
}

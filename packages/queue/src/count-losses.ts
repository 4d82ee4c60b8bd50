/**
 * Tells whether writes went to one Redis. Replication is asynchronous: when a master fails, a replica has what the master
 * had up to some moment. What was written over one connection, in order, it has in order, so that nothing is there whose
 * cause is missing. That ends where a connection is lost between two writes: the first may be gone with the old master
 * while the second is kept by the new. Who depends on the order must look, and begin again.
 */
import { Cluster } from 'ioredis';
import type { RedisConnection } from './connection.ts';

const counters = new WeakMap<RedisConnection, () => number>();

/**
 * How often the connection, or one of a cluster's, has been lost, or led to another master: as often before a write and after
 * it, and both went to one.
 */
export function lossesOf(connection: RedisConnection): () => number {
  const known = counters.get(connection);
  if (known !== undefined) return known;
  let losses = 0;
  const onLoss = () => {
    losses += 1;
  };
  if (connection instanceof Cluster) onClusterLoss(connection, onLoss);
  else connection.on('close', onLoss);
  const count = () => losses;
  counters.set(connection, count);
  return count;
}

/**
 * Whether the connection was lost since the last call. What is remembered to be in Redis may not be in a master that took
 * over: whoever remembers it asks this before each use.
 */
export function createLossCheck(connection: RedisConnection): () => boolean {
  const losses = lossesOf(connection);
  let known = losses();
  return () => {
    const isLost = losses() !== known;
    known = losses();
    return isLost;
  };
}

// A master that others have replaced takes writes until it hears of it, and keeps the connections of its clients then.
const FROM_FORMER_MASTER = /^(?:MOVED|CLUSTERDOWN)\b/;

function onClusterLoss(cluster: Cluster, onLoss: () => void): void {
  // A node whose connection has ended is taken out of the pool.
  cluster.on('-node', onLoss);
  const handleError = cluster.handleError.bind(cluster);
  cluster.handleError = (error, ...rest) => {
    if (FROM_FORMER_MASTER.test(error.message)) onLoss();
    handleError(error, ...rest);
  };
  let masters: (string | undefined)[] = [];
  cluster.on('refresh', () => {
    const latest = cluster.slots.map(([master]) => master);
    if (masters.some((master, slot) => master !== latest[slot])) onLoss();
    masters = latest;
  });
}

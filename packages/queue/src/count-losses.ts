/**
 * Tells whether writes went to one Redis. Replication is asynchronous: when a master fails, a replica has what the master
 * had up to some moment. What was written over one connection, in order, it has in order, so that nothing is there whose
 * cause is missing. That ends where a connection is lost between two writes: the first may be gone with the old master
 * while the second is kept by the new. Who depends on the order must look, and begin again.
 */
import { Cluster } from 'ioredis';
import type { RedisConnection } from './connection.ts';

const counters = new WeakMap<RedisConnection, () => number>();

/** How often the connection, or one of a cluster's, has been lost: as often before a write and after it, and it was not. */
export function lossesOf(connection: RedisConnection): () => number {
  const known = counters.get(connection);
  if (known !== undefined) return known;
  let losses = 0;
  // A cluster takes a node whose connection has ended out of its pool.
  connection.on(connection instanceof Cluster ? '-node' : 'close', () => {
    losses += 1;
  });
  const count = () => losses;
  counters.set(connection, count);
  return count;
}

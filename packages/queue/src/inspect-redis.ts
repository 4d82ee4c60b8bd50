/** What an operator wants to know of each Redis that the fleet writes to: read, and not judged. */
import { Cluster, type Redis } from 'ioredis';
import { parseInfo } from './check-redis.ts';
import { addressOf, type RedisConnection } from './connection.ts';

export interface RedisFacts {
  /** The node's address: as many as there are masters. */
  readonly node: string;
  readonly version: string;
  readonly role: string;
  /** Undefined where Redis doesn't tell. */
  readonly evictionPolicy: string | undefined;
  readonly usedBytes: number;
  /** maxmemory; 0 where none is set. */
  readonly limitBytes: number;
  readonly appendOnly: boolean;
  readonly lastWriteFailed: boolean;
  /** Undefined where CONFIG is forbidden, as managed services do. */
  readonly appendFsync: string | undefined;
  readonly snapshots: boolean | undefined;
  /** From a PING to its answer: the middle, and the longest of those made. */
  readonly latencyMs: { readonly median: number; readonly longest: number };
  /** How far its clock is ahead of ours. */
  readonly clockAheadMs: number;
}

const PINGS = 20;

/** The connection must be ready. */
export async function inspectRedis(connection: RedisConnection): Promise<RedisFacts[]> {
  const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection];
  return Promise.all(nodes.map(inspectNode));
}

async function inspectNode(node: Redis): Promise<RedisFacts> {
  const info = parseInfo(await node.info());
  const [appendFsync, save] = [await setting(node, 'appendfsync'), await setting(node, 'save')];
  return {
    node: addressOf(node),
    version: info.get('redis_version') ?? 'unknown',
    role: info.get('role') ?? 'unknown',
    evictionPolicy: info.get('maxmemory_policy'),
    usedBytes: Number(info.get('used_memory') ?? 0),
    limitBytes: Number(info.get('maxmemory') ?? 0),
    appendOnly: info.get('aof_enabled') === '1',
    lastWriteFailed: ['aof_last_write_status', 'rdb_last_bgsave_status'].some(
      (field) => info.get(field) === 'err',
    ),
    appendFsync,
    snapshots: save === undefined ? undefined : save !== '',
    latencyMs: await latencyOf(node),
    clockAheadMs: await clockAheadOf(node),
  };
}

async function setting(node: Redis, name: string): Promise<string | undefined> {
  try {
    const [, value] = (await node.config('GET', name)) as string[];
    return value;
  } catch {
    return undefined;
  }
}

async function latencyOf(node: Redis): Promise<RedisFacts['latencyMs']> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i += 1) {
    const startedAt = performance.now();
    await node.ping();
    times.push(performance.now() - startedAt);
  }
  times.sort((a, b) => a - b);
  return { median: times[PINGS / 2] ?? 0, longest: times.at(-1) ?? 0 };
}

/** How far Redis' clock is ahead of ours, in milliseconds. Its time is that of the middle of the call. */
export async function clockAheadOf(node: Pick<Redis, 'time'>): Promise<number> {
  const askedMs = Date.now();
  const [seconds = 0, microseconds = 0] = (await node.time()).map(Number);
  return Math.round(seconds * 1_000 + microseconds / 1_000 - (askedMs + Date.now()) / 2);
}

/**
 * How full Redis is, master by master. With noeviction a full Redis refuses every write: the fleet then stops, and
 * nothing but room or fewer webhooks mends it. One INFO a node, which managed services allow.
 */
import { Cluster, type Redis } from 'ioredis';
import { parseInfo } from './check-redis.ts';
import { addressOf, type RedisConnection } from './connection.ts';

export interface RedisMemory {
  /** The node's address: as many as there are masters. */
  readonly node: string;
  readonly usedBytes: number;
  /** maxmemory; the machine's memory where none is set; undefined where Redis tells neither. */
  readonly limitBytes: number | undefined;
  /** Its maxmemory-policy is not noeviction any more: it may drop webhooks when it is full. */
  readonly evicts: boolean;
}

const NO_EVICTION = 'noeviction';

export async function readRedisMemory(connection: RedisConnection): Promise<RedisMemory[]> {
  const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection];
  return Promise.all(nodes.map(memoryOf));
}

async function memoryOf(node: Redis): Promise<RedisMemory> {
  const info = parseInfo(await node.info('memory'));
  const bytes = (field: string) => Number(info.get(field) ?? 0);
  const limitBytes = bytes('maxmemory') || bytes('total_system_memory') || undefined;
  const evicts = (info.get('maxmemory_policy') ?? NO_EVICTION) !== NO_EVICTION;
  return { node: addressOf(node), usedBytes: bytes('used_memory'), limitBytes, evicts };
}

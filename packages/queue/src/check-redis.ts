/**
 * Is this Redis fit to keep webhooks? Asked once, at start: a Redis that evicts keys, or is too old for BullMQ,
 * would lose webhooks later and silently.
 */
import { Cluster, type Redis } from 'ioredis';
import type { RedisConnection } from './connection.ts';

// Redis 6.2 is the oldest that BullMQ 6 recommends, and the first with ZADD GT and GETEX, which our scripts use.
const VERSION_MIN = [6, 2] as const;
const REACHABLE_WITHIN_MS = 10_000;

/** Redis answers, but must not be used as it is set. The message names each wrong setting and its mend. */
export class RedisUnfitError extends Error {
  override readonly name = 'RedisUnfitError';
}

/** Redis did not answer in time. */
export class RedisUnreachableError extends Error {
  override readonly name = 'RedisUnreachableError';
}

/**
 * Waits for Redis to answer, up to 10 s by default, then checks its version and its maxmemory-policy, on every master.
 * Throws RedisUnfitError or RedisUnreachableError.
 */
export async function checkRedis(
  connection: RedisConnection,
  { reachableWithinMs = REACHABLE_WITHIN_MS }: { readonly reachableWithinMs?: number } = {},
): Promise<void> {
  await untilReady(connection, reachableWithinMs);
  const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection];
  const isCluster = connection instanceof Cluster;
  const problems = (await Promise.all(nodes.map((node) => problemsOf(node, isCluster)))).flat();
  if (problems.length > 0) throw new RedisUnfitError([...new Set(problems)].join('; '));
}

async function problemsOf(node: Redis, isCluster: boolean): Promise<string[]> {
  // INFO, not CONFIG GET: managed services forbid the latter.
  const info = parseInfo(await node.info());
  const problems: string[] = [];
  const version = info.get('redis_version') ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    problems.push(`redis_version is ${version}: ${VERSION_MIN.join('.')} or newer is needed`);
  }
  if (!isCluster && info.get('cluster_enabled') === '1') {
    problems.push(
      'it is a node of a Redis Cluster: name several of its nodes by commas, or end the one address with a comma',
    );
  }
  const policy = info.get('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    problems.push(`maxmemory-policy is ${policy}: it would evict webhooks; set it to noeviction`);
  }
  return problems;
}

/** The fields of an answer to INFO. */
export function parseInfo(text: string): Map<string, string> {
  return new Map(
    text.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':');
      return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
    }),
  );
}

/** A certificate for another name is the usual fault of a cluster in TLS: nodes announce their addresses. */
function describe({ message, code }: NodeJS.ErrnoException): string {
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID') return message || String(code ?? 'no connection');
  return `${message} In a cluster, name each node's address in its certificate, or set cluster-announce-hostname and cluster-preferred-endpoint-type hostname of Redis`;
}

async function untilReady(connection: RedisConnection, withinMs: number): Promise<void> {
  if (connection.status === 'ready') return;
  let lastError: Error | undefined;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const remember = (error: Error) => {
    lastError = error;
  };
  const timer = setTimeout(() => {
    reject(
      new RedisUnreachableError(
        `Redis did not answer within ${withinMs / 1000} s: ${lastError ? describe(lastError) : 'no connection'}`,
      ),
    );
  }, withinMs);
  connection.once('ready', resolve);
  connection.on('error', remember);
  // Of a cluster's nodes.
  connection.on('node error', remember);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    connection.off('ready', resolve);
    connection.off('error', remember);
    connection.off('node error', remember);
  }
}

/**
 * Which workers there are: each writes what it does every few seconds, under a key that Redis lets expire where the
 * worker no longer does. Nobody's clock matters, and a worker that was killed is gone within TTL_MS.
 */
import type { RedisConnection } from './connection.ts';
import { clockAheadOf } from './inspect-redis.ts';
import { workerKey, workersKey } from './keys.ts';
import { createReadStored, type OnUnreadable } from './read-stored.ts';

/** Where a worker may send to, for who asks about a URL: nothing of it is secret. */
export interface WorkerEgress {
  /** CIDR ranges beside the public internet. */
  readonly allow: readonly string[];
  /** The schemes whose destinations are reached through a proxy, but for those of `noProxy`. */
  readonly proxied: readonly ('http' | 'https')[];
  readonly noProxy: readonly string[];
}

export interface WorkerReport {
  readonly workerId: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly concurrency: number;
  readonly inFlight: number;
  readonly attemptsPerSecond: number;
  /** How far its clock is ahead of Redis'; absent of earlier versions. */
  readonly clockAheadMs?: number;
  /** Absent of earlier versions. */
  readonly egress?: WorkerEgress;
}

export interface WorkerHeartbeat {
  /** To be called with each attempt that was recorded. */
  recorded(): void;
  /** How far this process's clock was ahead of Redis' at the last beat. */
  clockAheadMs(): number;
  /** Takes the worker off the list. */
  stop(): Promise<void>;
}

export interface WorkerHeartbeatOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly workerId: string;
  readonly concurrency: number;
  readonly egress?: WorkerEgress;
  readonly inFlight: () => number;
  /** This process's clock is far from Redis': called when that begins. */
  readonly onClockWrong: (aheadMs: number) => void;
  readonly onError: (error: Error) => void;
}

/**
 * What is due is decided by Redis' clock. Times that others see (signatures, logs, certificates) are this machine's:
 * receivers refuse signatures that are minutes old.
 */
export const CLOCK_WRONG_MS = 5_000;
const INTERVAL_MS = 2_000;
// A few heartbeats may be late or lost.
const TTL_MS = 10_000;

export function startWorkerHeartbeat(options: WorkerHeartbeatOptions): WorkerHeartbeat {
  const { connection, prefix, workerId, concurrency, egress, inFlight, onClockWrong, onError } = options;
  const startedAt = new Date().toISOString();
  let attempts = 0;
  let beatAtMs = performance.now();
  let beating: Promise<unknown> | undefined;
  let clockAheadMs = 0;

  async function lookAtClock(): Promise<void> {
    const wasWrong = Math.abs(clockAheadMs) > CLOCK_WRONG_MS;
    clockAheadMs = -(await clockAheadOf(connection));
    if (!wasWrong && Math.abs(clockAheadMs) > CLOCK_WRONG_MS) onClockWrong(clockAheadMs);
  }

  async function beat(): Promise<void> {
    await lookAtClock();
    const elapsedMs = performance.now() - beatAtMs;
    beatAtMs = performance.now();
    const report: WorkerReport = {
      workerId,
      startedAt,
      concurrency,
      inFlight: inFlight(),
      attemptsPerSecond: elapsedMs < 1 ? 0 : Math.round((attempts / elapsedMs) * 1_000),
      clockAheadMs,
      ...(egress !== undefined && { egress }),
    };
    attempts = 0;
    await connection.set(workerKey(prefix, workerId), JSON.stringify(report), 'PX', TTL_MS);
    await connection.sadd(workersKey(prefix), workerId);
  }

  function beatAgain(): void {
    // While Redis is away one beat waits, not a queue of them.
    beating ??= beat()
      .catch(onError)
      .finally(() => {
        beating = undefined;
      });
  }
  beatAgain();
  const timer = setInterval(beatAgain, INTERVAL_MS);

  return {
    recorded() {
      attempts += 1;
    },
    clockAheadMs: () => clockAheadMs,
    async stop() {
      clearInterval(timer);
      // Where Redis is away the key expires by itself: a stop must not wait for it.
      void Promise.resolve(beating)
        .then(() => connection.del(workerKey(prefix, workerId)))
        .catch(() => undefined);
    },
  };
}

function isEgress({ allow, proxied, noProxy }: Partial<WorkerEgress>): boolean {
  const areTexts = (all: unknown) => Array.isArray(all) && all.every((one) => typeof one === 'string');
  return [allow, proxied, noProxy].every(areTexts);
}

/** What it makes resolves to the workers that reported of late, by their ids. */
export function createListWorkers({
  connection,
  prefix,
  onError,
}: {
  connection: RedisConnection;
  prefix: string;
  /** Told of reports that can't be read. */
  onError?: OnUnreadable;
}): () => Promise<WorkerReport[]> {
  const read = createReadStored<WorkerReport>(
    "a worker's report",
    onError,
    ({ workerId, startedAt, concurrency, inFlight, attemptsPerSecond, clockAheadMs = 0, egress }) =>
      typeof workerId === 'string' &&
      typeof startedAt === 'string' &&
      [concurrency, inFlight, attemptsPerSecond, clockAheadMs].every(Number.isFinite) &&
      (egress === undefined || isEgress(egress)),
  );
  return async () => {
    const ids = await connection.smembers(workersKey(prefix));
    if (ids.length === 0) return [];
    const texts = await connection.mget(ids.map((id) => workerKey(prefix, id)));
    const gone = ids.filter((_, i) => texts[i] === null);
    if (gone.length > 0) await connection.srem(workersKey(prefix), ...gone);
    return ids
      .map((id, i) => (texts[i] == null ? undefined : read(id, texts[i])))
      .filter((report) => report !== undefined)
      .sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
  };
}

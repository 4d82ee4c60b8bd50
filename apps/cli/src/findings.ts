/** What a look at the fleet found, and what mends it. Pure: facts in, findings out. */
import type { RedisFacts } from '@hookfleet/queue';
import { type FleetView, laneName } from './fleet-screen.ts';
import { count, duration } from './numbers-as-text.ts';

/** `unknown`: not looked at, or not to be told. Only what is wrong makes the doctor end with status 1. */
export interface Finding {
  readonly about: string;
  readonly state: 'ok' | 'doubtful' | 'wrong' | 'unknown';
  readonly found: string;
  readonly mend?: string;
}

// Redis 6.2 is the oldest that BullMQ 6 recommends; packages/queue's check-redis.ts refuses older ones at start.
const VERSION_MIN = [6, 2] as const;
// Each webhook costs a few calls: what a call takes, a delivery takes several times.
const LATENCY_DOUBTFUL_MS = 5;
const LATENCY_WRONG_MS = 100;
// Retries and deadlines are times of Redis' and the workers' clocks; receivers refuse signatures older than 5 minutes.
const CLOCK_DOUBTFUL_MS = 500;
const CLOCK_WRONG_MS = 5_000;
const MEMORY_DOUBTFUL = 0.8;

export function redisFindings(facts: RedisFacts): Finding[] {
  return [
    versionOf(facts),
    evictionOf(facts),
    memoryOf(facts),
    persistenceOf(facts),
    latencyOf(facts),
    clockOf(facts),
  ];
}

function versionOf({ node, version, role }: RedisFacts): Finding {
  const about = `redis ${node} version`;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]))
    return {
      about,
      state: 'wrong',
      found: version,
      mend: `Redis ${VERSION_MIN.join('.')} or newer is needed`,
    };
  if (role !== 'master')
    return {
      about,
      state: 'wrong',
      found: `${version}, a ${role}`,
      mend: 'REDIS_URL must name a master: the fleet writes',
    };
  return { about, state: 'ok', found: version };
}

function evictionOf({ node, evictionPolicy }: RedisFacts): Finding {
  const about = `redis ${node} maxmemory-policy`;
  if (evictionPolicy === undefined)
    return { about, state: 'unknown', found: 'Redis does not tell', mend: 'make sure that it is noeviction' };
  if (evictionPolicy === 'noeviction') return { about, state: 'ok', found: evictionPolicy };
  return {
    about,
    state: 'wrong',
    found: evictionPolicy,
    mend: 'it would evict webhooks: CONFIG SET maxmemory-policy noeviction, and the same in redis.conf',
  };
}

function memoryOf({ node, usedBytes, limitBytes }: RedisFacts): Finding {
  const about = `redis ${node} memory`;
  const used = mebibytes(usedBytes);
  if (limitBytes === 0)
    return {
      about,
      state: 'doubtful',
      found: `${used} used, no limit`,
      mend: 'set maxmemory below what the machine has: a Redis that the system kills loses more than one that refuses',
    };
  const found = `${used} of ${mebibytes(limitBytes)} used`;
  if (usedBytes / limitBytes < MEMORY_DOUBTFUL) return { about, state: 'ok', found };
  return {
    about,
    state: 'doubtful',
    found,
    mend: 'a full Redis refuses webhooks: give it room, or drain it',
  };
}

function persistenceOf({ node, appendOnly, appendFsync, snapshots, lastWriteFailed }: RedisFacts): Finding {
  const about = `redis ${node} persistence`;
  const always = appendFsync === undefined ? '' : `, fsync ${appendFsync}`;
  const found = appendOnly ? `append-only file${always}` : snapshots === false ? 'none' : 'snapshots alone';
  if (lastWriteFailed)
    return {
      about,
      state: 'wrong',
      found: 'its last write to disk failed',
      mend: "look at Redis' log, and at the disk",
    };
  if (!appendOnly)
    return {
      about,
      state: snapshots === false ? 'wrong' : 'doubtful',
      found,
      mend: 'webhooks are lost when it restarts: CONFIG SET appendonly yes, and the same in redis.conf',
    };
  if (appendFsync === 'no')
    return {
      about,
      state: 'doubtful',
      found,
      mend: 'appendfsync everysec loses a second at most where the machine fails',
    };
  return { about, state: 'ok', found };
}

function latencyOf({ node, latencyMs: { median, longest } }: RedisFacts): Finding {
  const about = `redis ${node} latency`;
  const found = `${median.toFixed(1)} ms, ${longest.toFixed(1)} ms at most`;
  if (median < LATENCY_DOUBTFUL_MS) return { about, state: 'ok', found };
  return {
    about,
    state: median < LATENCY_WRONG_MS ? 'doubtful' : 'wrong',
    found,
    mend: 'run the fleet beside its Redis; SLOWLOG GET and LATENCY DOCTOR tell what holds it up',
  };
}

function clockOf({ node, clockAheadMs }: RedisFacts): Finding {
  const about = `redis ${node} clock`;
  const found = clockAheadMs === 0 ? 'as here' : distance(clockAheadMs);
  if (Math.abs(clockAheadMs) < CLOCK_DOUBTFUL_MS) return { about, state: 'ok', found };
  return {
    about,
    state: Math.abs(clockAheadMs) < CLOCK_WRONG_MS ? 'doubtful' : 'wrong',
    found,
    mend: 'retries, deadlines and signatures go by the clock: synchronize both machines (chrony, ntpd)',
  };
}

function distance(aheadMs: number): string {
  return `${duration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead' : 'behind'}`;
}

export function workersFinding({
  workers,
  concurrency,
}: Pick<FleetView, 'workers' | 'concurrency'>): Finding {
  const about = 'workers';
  if (workers.length === 0)
    return {
      about,
      state: 'wrong',
      found: 'none has reported within ten seconds',
      mend: 'nothing is delivered: start one with the same REDIS_URL and HOOKFLEET_KEY_PREFIX',
    };
  const wrong = workers.filter(({ clockAheadMs = 0 }) => Math.abs(clockAheadMs) > CLOCK_WRONG_MS);
  if (wrong.length > 0)
    return {
      about,
      state: 'wrong',
      found: wrong
        .map(({ workerId, clockAheadMs = 0 }) => `the clock of ${workerId} is ${distance(clockAheadMs)}`)
        .join('; '),
      mend: 'receivers refuse signatures of a wrong time: synchronize it with that of Redis (chrony, ntpd)',
    };
  return { about, state: 'ok', found: `${workers.length}, with ${concurrency} attempts in flight at most` };
}

// A pause is somebody's decision, and one that lasts may be forgotten.
const PAUSED_WRONG_MS = 3_600_000;
const LANES_NAMED = 20;

/** Lanes in which webhooks wait that nothing sends: their destination fails, or they are paused. */
export function lanesFindings({ lanes }: Pick<FleetView, 'lanes'>, nowMs: number): Finding[] {
  const about = 'lanes';
  const stuck = lanes.filter(
    ({ circuit, parkedWebhooks }) => circuit.state !== 'closed' && parkedWebhooks > 0,
  );
  if (stuck.length === 0) return [{ about, state: 'ok', found: 'none is held back' }];
  const findings = stuck.slice(0, LANES_NAMED).map((lane): Finding => {
    const { channelConfigId, campaignId, origin, parkedWebhooks } = lane;
    const { state, why = '', since } = lane.circuit;
    const sinceMs = since === undefined ? 0 : Math.max(0, nowMs - Date.parse(since));
    const waiting = `${count(parkedWebhooks)} ${parkedWebhooks === 1 ? 'webhook waits' : 'webhooks wait'}`;
    const isOpen = state === 'open';
    return {
      about: laneName(channelConfigId, campaignId, origin),
      // Of a destination that answered 410 nobody has decided.
      state: isOpen || why !== 'operator' || sinceMs >= PAUSED_WRONG_MS ? 'wrong' : 'doubtful',
      found: `${isOpen ? 'fails' : 'paused'} (${why}) for ${duration(sinceMs)}: ${waiting}`,
      mend: isOpen
        ? 'the destination is probed now and then, and its webhooks go out when it answers: look at why it fails'
        : 'resume it when its webhooks may be sent',
    };
  });
  const more = stuck.length - findings.length;
  return more === 0
    ? findings
    : [...findings, { about, state: 'wrong', found: `${count(more)} more are held back` }];
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}

/** Of a URL, by the worker's own rules. */
export interface EgressReport {
  readonly url: string;
  readonly allowed: boolean;
  readonly throughProxy: boolean;
  readonly addresses: readonly { readonly address: string; readonly allowed: boolean }[];
  readonly fault?: string;
}

/** `by`: whose rules these are, if not all workers have the same. */
export function egressFinding(report: EgressReport, by?: string): Finding {
  const { url, allowed, throughProxy, addresses, fault } = report;
  const about = by === undefined ? `egress ${url}` : `egress ${url} (${by})`;
  const way = throughProxy ? 'through the proxy' : addresses.map(({ address }) => address).join(', ');
  if (fault !== undefined) return { about, state: 'wrong', found: fault };
  if (allowed) return { about, state: 'ok', found: way };
  const refused = addresses.filter((one) => !one.allowed).map(({ address }) => address);
  return {
    about,
    state: 'wrong',
    found: `blocked: ${refused.join(', ')}`,
    mend: 'if that is wanted, add its range to HOOKFLEET_EGRESS_ALLOW of the workers',
  };
}

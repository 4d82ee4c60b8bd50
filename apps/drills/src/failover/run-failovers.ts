/**
 * A fleet under load on a master of Redis that fails, again and again, and a replica in its place: by three sentinels, or in
 * a cluster whose three masters fail in turns. What that loses, with the settings that narrow it and without.
 */
import { startTestFailoverCluster, startTestSentinel } from '@hookfleet/testkit';
import type { Audited } from '../chaos/audit-load.ts';
import { REDIS_PASSWORD, type Role, SENTINEL_PASSWORD, startFleetMembers } from '../chaos/fleet-members.ts';
import { type FleetReport, loadFleet } from '../chaos/load-fleet.ts';
import { startDestination } from '../chaos/receive-load.ts';
import { FAILOVER_KINDS, planFailovers } from './failover-plan.ts';
import { injectFailovers } from './inject-failovers.ts';
import { type FailoverReckoning, reckonFailovers } from './reckon-failovers.ts';

export const REDIS_FORMS = ['sentinel', 'cluster'] as const;

export interface FailoverSettings {
  readonly redis: (typeof REDIS_FORMS)[number];
  /** HOOKFLEET_WAIT_REPLICAS. */
  readonly waitReplicas: number;
  /** `min-replicas-to-write` of Redis. */
  readonly minReplicas: number;
}

export interface FailoverOptions extends FailoverSettings {
  readonly seed: number;
  readonly webhooksPerSecond: number;
  readonly failovers: number;
  readonly counts: Readonly<Record<Role, number>>;
  readonly onProgress: (text: string) => void;
}

export interface FailoverReport extends FleetReport {
  readonly reckoning: FailoverReckoning;
  readonly audited: Audited;
  readonly evidence: readonly string[];
  readonly longestRefusalMs: number;
  readonly slowestRefusalMs: number;
  /** Answers of 500 and above, but 503. */
  readonly faults: number;
  /** Whether what the settings promise has been kept. */
  readonly isKept: boolean;
}

/** Each way to fail once: less than a minute. */
export const FAILOVER_SHORT = {
  webhooksPerSecond: 100,
  failovers: FAILOVER_KINDS.length,
  counts: { producer: 2, worker: 2, aggregator: 1 },
} as const;
export const FAILOVER_LONG = {
  webhooksPerSecond: 300,
  failovers: 20,
  counts: { producer: 2, worker: 3, aggregator: 2 },
} as const;

// More than any plan takes: the load ends when it does.
const WEBHOOKS_MAX = 500_000;
// Two on each master.
const CLUSTER_SHARDS = 6;

export async function runFailovers(options: FailoverOptions): Promise<FailoverReport> {
  const { seed, failovers, webhooksPerSecond, counts, waitReplicas, minReplicas, onProgress } = options;
  const access = { password: REDIS_PASSWORD, minReplicasToWrite: minReplicas };
  const isCluster = options.redis === 'cluster';
  const redis = isCluster
    ? await startTestFailoverCluster(access)
    : await startTestSentinel({ ...access, sentinelPassword: SENTINEL_PASSWORD });
  const environment: Record<string, string> = {
    HOOKFLEET_WAIT_REPLICAS: String(waitReplicas),
    ...(isCluster && { HOOKFLEET_SHARDS: String(CLUSTER_SHARDS) }),
  };
  try {
    const destination = await startDestination();
    try {
      const members = await startFleetMembers(
        destination.network.port,
        async () => ({ redisUrl: redis.url, close: async () => undefined }),
        {
          counts,
          environment: { producer: environment, worker: environment, aggregator: environment },
        },
      );
      const fleet = {
        ...members,
        redis: { url: redis.url, shards: isCluster ? CLUSTER_SHARDS : 1 },
      };
      try {
        const loaded = new AbortController();
        const { accounts, audited, faults, fleetReport, ...loadReport } = await loadFleet(
          fleet,
          destination,
          {
            webhooks: WEBHOOKS_MAX,
            webhooksPerSecond,
            ended: loaded.signal,
            onProgress,
            // Also where it fails: the load must not go on.
            meanwhile: () =>
              injectFailovers(redis, planFailovers(seed, failovers), onProgress).finally(() =>
                loaded.abort(),
              ),
          },
        );
        const { reckoning, evidence } = reckonFailovers(accounts);
        const { uncleanEnds, secretsShown } = fleetReport;
        const isLossAllowed = waitReplicas === 0;
        return {
          ...fleetReport,
          reckoning,
          audited,
          evidence: [...fleet.uncleanEnds, ...faults, ...audited.evidence, ...evidence],
          faults: faults.length,
          longestRefusalMs: Math.round(loadReport.longestRefusalMs),
          slowestRefusalMs: Math.round(loadReport.slowestRefusalMs),
          isKept:
            (isLossAllowed || (reckoning.lost === 0 && audited.off === 0)) &&
            faults.length === 0 &&
            uncleanEnds === 0 &&
            secretsShown === 0,
        };
      } finally {
        await fleet.stop();
      }
    } finally {
      await destination.close();
    }
  } finally {
    await redis.stop();
  }
}

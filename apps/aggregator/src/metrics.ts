/**
 * What an aggregator tells Prometheus. What the queues and campaigns hold is read from Redis, so every aggregator
 * tells the same, and a restart neither resets nor doubles it.
 */
import type { Results } from '@hookfleet/contract';
import type { QueueSample, WaitingWebhooks } from '@hookfleet/queue';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { CampaignEvents, CampaignRollUp } from './campaign-roll-up.ts';
import type { Counted } from './count-results.ts';

// Scrapes within this time show the same reading: several Prometheus servers cost Redis no more than one.
const CAMPAIGNS_FRESH_MS = 1_000;

export interface AggregatorMetrics {
  counted(results: Results, counted: Counted): void;
  /** `waiting`: where all pending webhooks wait. */
  sampled(sample: QueueSample, waiting: readonly WaitingWebhooks[]): void;
  unaccounted(messages: number): void;
}

export interface MetricsOptions {
  readonly registry: Registry;
  /** Tells a bounded number of campaigns apart: a label for each would have no bound. */
  readonly campaigns: Pick<CampaignRollUp, 'read'>;
  readonly onError: (error: Error) => void;
  readonly now: () => number;
}

export function createAggregatorMetrics(options: MetricsOptions): AggregatorMetrics {
  const { registry, now } = options;
  const registers = [registry];
  const outcomes = new Counter({
    name: 'hookfleet_outcomes_counted_total',
    help: 'Outcomes that this aggregator counted.',
    registers,
  });
  const repeats = new Counter({
    name: 'hookfleet_outcomes_repeated_total',
    help: 'Outcomes that came to this aggregator though they had been counted before.',
    registers,
  });
  const lag = new Histogram({
    name: 'hookfleet_results_lag_seconds',
    help: 'Time from an attempt to its being counted: the oldest outcome of each results job.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600],
    registers,
  });
  const jobs = new Gauge({
    name: 'hookfleet_queue_jobs',
    help: 'Jobs by queue and state. A job of the webhooks queue holds one webhook or more.',
    labelNames: ['queue', 'state'],
    registers,
  });
  const oldest = new Gauge({
    name: 'hookfleet_queue_oldest_seconds',
    help: 'Age of the job that waits longest.',
    labelNames: ['queue'],
    registers,
  });
  const parked = new Gauge({
    name: 'hookfleet_parked_webhooks',
    help: 'Webhooks that wait in lanes or for their batch: for a limit, a circuit, a paused channel or campaign, or their share of the workers.',
    registers,
  });
  const parkedOldest = new Gauge({
    name: 'hookfleet_parked_oldest_seconds',
    help: 'For how long the oldest of them has waited there.',
    registers,
  });
  const waiting = new Gauge({
    name: 'hookfleet_waiting_webhooks',
    help: 'Pending webhooks by what they wait for: queued, scheduled, retry, paused, circuit, rate, concurrency, busy, batch. Every aggregator tells the same.',
    labelNames: ['reason'],
    registers,
  });
  const waitingOldest = new Gauge({
    name: 'hookfleet_waiting_oldest_seconds',
    help: 'For how long the oldest of them has waited for it; 0 if none does.',
    labelNames: ['reason'],
    registers,
  });
  const backlog = new Gauge({
    name: 'hookfleet_backlog_seconds',
    help: 'Time to drain the webhooks that wait for workers at the rate of late: what to scale on. Those that more workers would not send are in hookfleet_waiting_webhooks by reason, with their age in hookfleet_waiting_oldest_seconds.',
    registers,
  });
  const circuits = new Gauge({
    name: 'hookfleet_circuits',
    help: 'Lanes whose circuit is not closed, by state. Paused ones wait for an operator.',
    labelNames: ['state'],
    registers,
  });
  const redisMemory = new Gauge({
    name: 'hookfleet_redis_memory_used_bytes',
    help: 'Memory that Redis uses, by node.',
    labelNames: ['node'],
    registers,
  });
  const redisMemoryLimit = new Gauge({
    name: 'hookfleet_redis_memory_limit_bytes',
    help: "Redis' maxmemory, or its machine's memory where none is set, by node. At it, every write is refused.",
    labelNames: ['node'],
    registers,
  });
  const redisEvicts = new Gauge({
    name: 'hookfleet_redis_evicts',
    help: "1 where Redis' maxmemory-policy is not noeviction: it may drop webhooks when it is full. By node.",
    labelNames: ['node'],
    registers,
  });
  const sampledAt = new Gauge({
    name: 'hookfleet_sampled_timestamp_seconds',
    help: 'When this aggregator last read the queues, in seconds since 1970: what the gauges of the queues tell is as old.',
    registers,
  });
  const unaccounted = new Gauge({
    name: 'hookfleet_unaccounted',
    help: 'Accepted webhooks that no counter explains, measured whenever the queues are empty: 0.',
    registers,
  });
  const campaignEvents = createLatestEvents(options);
  new Counter({
    name: 'hookfleet_campaign_events_total',
    help: 'Events of the most active campaigns, and of all others as campaign_id="other". Campaigns move between the two: use it for rates, not for sums. Every aggregator tells the same.',
    labelNames: ['campaign_id', 'event'],
    registers,
    async collect() {
      const campaigns = await campaignEvents();
      this.reset();
      for (const { campaignId, events } of campaigns) {
        for (const [event, count] of Object.entries(events))
          this.inc({ campaign_id: campaignId, event }, count);
      }
    },
  });

  return {
    counted(results, counted) {
      outcomes.inc(counted.outcomes);
      repeats.inc(counted.repeats);
      const times = (results.outcomes ?? []).map(({ occurredAt }) => Date.parse(occurredAt));
      if (times.length > 0) lag.observe(Math.max(0, now() - Math.min(...times)) / 1000);
    },
    sampled(sample, waitingWebhooks) {
      for (const { queue, state, jobs: count } of sample.queues) jobs.set({ queue, state }, count);
      for (const { queue, seconds } of sample.oldestSeconds) oldest.set({ queue }, seconds);
      parked.set(sample.parkedWebhooks);
      parkedOldest.set(sample.parkedOldestSeconds);
      for (const { reason, webhooks, oldestSeconds } of waitingWebhooks) {
        waiting.set({ reason }, webhooks);
        waitingOldest.set({ reason }, oldestSeconds);
      }
      backlog.set(sample.backlogSeconds);
      for (const { state, lanes } of sample.circuits) circuits.set({ state }, lanes);
      // After a failover the masters are others.
      redisMemory.reset();
      redisMemoryLimit.reset();
      redisEvicts.reset();
      for (const { node, usedBytes, limitBytes, evicts } of sample.redisMemory) {
        redisEvicts.set({ node }, evicts ? 1 : 0);
        redisMemory.set({ node }, usedBytes);
        if (limitBytes !== undefined) redisMemoryLimit.set({ node }, limitBytes);
      }
      sampledAt.set(now() / 1000);
    },
    unaccounted: (messages) => unaccounted.set(messages),
  };
}

/** While Redis is away the last reading stands: a scrape must not fail for it. */
function createLatestEvents({ campaigns, onError, now }: MetricsOptions) {
  let latest: readonly CampaignEvents[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;
  return async (): Promise<readonly CampaignEvents[]> => {
    if (now() - readAtMs < CAMPAIGNS_FRESH_MS) return latest;
    try {
      latest = await campaigns.read();
      readAtMs = now();
    } catch (error) {
      onError(error as Error);
    }
    return latest;
  };
}

/**
 * What an aggregator tells Prometheus. What the queues and campaigns hold is read from Redis, so every aggregator
 * tells the same, and a restart neither resets nor doubles it.
 */
import type { QueueMonitor, QueueSample } from '@hookfleet/queue';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Applied } from './apply-results.ts';
import type { CampaignReader } from './read-campaigns.ts';

const SAMPLE_EVERY_MS = 5_000;

export interface AggregatorMetrics {
  counted(applied: Applied): void;
  close(): Promise<void>;
}

export interface MetricsOptions {
  readonly registry: Registry;
  readonly monitor: QueueMonitor;
  readonly reader: CampaignReader;
  readonly campaignsMax: number;
  readonly onError: (error: Error) => void;
}

export function createAggregatorMetrics({
  registry,
  monitor,
  reader,
  campaignsMax,
  onError,
}: MetricsOptions): AggregatorMetrics {
  const registers = [registry];
  const outcomes = new Counter({
    name: 'hookfleet_outcomes_counted_total',
    help: 'Outcomes that this aggregator counted.',
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
  const backlog = new Gauge({
    name: 'hookfleet_backlog_seconds',
    help: 'Time to drain the waiting webhooks at the rate of late.',
    registers,
  });
  const unaccounted = new Gauge({
    name: 'hookfleet_unaccounted',
    help: 'Accepted webhooks that no counter explains, measured whenever the queues are empty: 0.',
    registers,
  });
  const campaignEvents = new Counter({
    name: 'hookfleet_campaign_events_total',
    help: 'Events of the most recently active campaigns.',
    labelNames: ['campaign_id', 'event'],
    registers,
    async collect() {
      const totals = await Promise.all((await reader.recentlyActive(campaignsMax)).map(reader.totals));
      this.reset();
      for (const campaign of totals) {
        for (const [event, count] of Object.entries(campaign?.events ?? {})) {
          this.inc({ campaign_id: campaign?.campaignId ?? '', event }, count);
        }
      }
    },
  });
  void campaignEvents;

  function show(sample: QueueSample): void {
    for (const { queue, state, jobs: count } of sample.queues) jobs.set({ queue, state }, count);
    for (const { queue, seconds } of sample.oldestSeconds) oldest.set({ queue }, seconds);
    backlog.set(sample.backlogSeconds);
  }

  let sampling: Promise<void> = Promise.resolve();
  async function sampleOnce(): Promise<void> {
    const sample = await monitor.sample();
    show(sample);
    if (!sample.atRest) return;
    const pending = await reader.pendingMessages();
    // Something may have been accepted between the two readings: only what was at rest all the while tells.
    if ((await monitor.sample()).atRest) unaccounted.set(pending);
  }
  function sampleAgain(): void {
    sampling = sampleOnce().catch(onError);
  }
  sampleAgain();
  const timer = setInterval(sampleAgain, SAMPLE_EVERY_MS);

  return {
    counted: (applied) => outcomes.inc(applied.outcomes),
    async close() {
      clearInterval(timer);
      await sampling;
    },
  };
}

/** What a worker tells Prometheus, beside the Node.js defaults. */
import { type Bundle, OUTCOME_REASONS, type Outcome } from '@hookfleet/contract';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { CIRCUIT_STATES, type CircuitState } from './lane-scheduler.ts';

export interface WorkerMetrics {
  recorded(outcome: Outcome, bundle: Bundle): void;
  circuitChanged(state: CircuitState): void;
  /** From now on the metrics tell how far this process's clock is ahead of Redis'. */
  tellClock(aheadMs: () => number): void;
}

export function createWorkerMetrics(
  registry: Registry,
  inFlight: () => number,
  concurrency: number,
): WorkerMetrics {
  const registers = [registry];
  const attempts = new Counter({
    name: 'hookfleet_attempts_total',
    help: 'Attempts recorded by this worker, by outcome event and reason (empty when delivered).',
    labelNames: ['event', 'reason'],
    registers,
  });
  const duration = new Histogram({
    name: 'hookfleet_attempt_duration_seconds',
    help: 'Time that an attempt took, from its request to its outcome.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers,
  });
  const latency = new Histogram({
    name: 'hookfleet_delivery_latency_seconds',
    help: 'Time from accepted, or from deliverAt where that is later, to delivered.',
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400],
    registers,
  });
  const deadLetters = new Counter({
    name: 'hookfleet_dead_letters_total',
    help: 'Webhooks that ended undelivered, by the reason of their last attempt: open to replay.',
    labelNames: ['reason'],
    registers,
  });
  // From 0 on: an increase that begins with a series' first sample is not seen.
  for (const reason of OUTCOME_REASONS) deadLetters.inc({ reason }, 0);
  const circuits = new Counter({
    name: 'hookfleet_circuit_changes_total',
    help: 'Circuits that this worker opened, closed or paused, by the state they changed to.',
    labelNames: ['state'],
    registers,
  });
  for (const state of CIRCUIT_STATES) circuits.inc({ state }, 0);
  new Gauge({
    name: 'hookfleet_in_flight',
    help: 'Attempts in flight in this worker, counted until they are recorded.',
    registers,
    collect() {
      this.set(inFlight());
    },
  });
  new Gauge({
    name: 'hookfleet_concurrency',
    help: 'Attempts that this worker may have in flight.',
    registers,
  }).set(concurrency);
  return {
    circuitChanged: (state) => circuits.inc({ state }),
    tellClock(aheadMs) {
      new Gauge({
        name: 'hookfleet_clock_ahead_seconds',
        help: "How far this process's clock is ahead of Redis'. What is due goes by Redis', signatures by this one.",
        registers,
        collect() {
          this.set(aheadMs() / 1_000);
        },
      });
    },
    recorded(outcome, bundle) {
      attempts.inc({ event: outcome.event, reason: outcome.reason ?? '' });
      duration.observe(outcome.durationMs / 1000);
      if (outcome.event !== 'webhook.delivered') {
        if (outcome.final) deadLetters.inc({ reason: outcome.reason ?? '' });
        return;
      }
      const dueAt = Math.max(bundle.acceptedAt, bundle.deliverAt ?? 0);
      latency.observe(Math.max(0, Date.parse(outcome.occurredAt) - dueAt) / 1000);
    },
  };
}

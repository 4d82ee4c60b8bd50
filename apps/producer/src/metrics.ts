/** What a producer tells Prometheus, beside the Node.js defaults. */
import type { FastifyInstance } from 'fastify';
import { Counter, Histogram, type Registry } from 'prom-client';

export interface ProducerMetrics {
  enqueued(webhooks: number): void;
  eventsReceived(event: string, count: number): void;
  /** The event is no longer activated: its label goes, so that there are as many as activated ones. */
  eventGone(event: string): void;
  observe(app: FastifyInstance): void;
}

export function createProducerMetrics(registry: Registry): ProducerMetrics {
  const registers = [registry];
  const enqueued = new Counter({
    name: 'hookfleet_webhooks_enqueued_total',
    help: 'Webhooks that this producer answered 202 for.',
    registers,
  });
  const events = new Counter({
    name: 'hookfleet_events_received_total',
    help: 'Custom events that this producer answered 202 for.',
    labelNames: ['event'],
    registers,
  });
  const duration = new Histogram({
    name: 'hookfleet_http_request_duration_seconds',
    help: 'Time from a request to its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });
  return {
    enqueued: (webhooks) => enqueued.inc(webhooks),
    eventsReceived: (event, count) => events.inc({ event }, count),
    eventGone: (event) => events.remove({ event }),
    observe(app) {
      app.addHook('onResponse', async (request, reply) => {
        // The route's pattern, not its path: labels must be few.
        const labels = {
          method: request.method,
          route: request.routeOptions.url ?? 'none',
          status: reply.statusCode,
        };
        duration.observe(labels, reply.elapsedTime / 1000);
      });
    },
  };
}

/** Spans of what a call puts into the queues: what became of its webhooks and events goes on under them. */
import type { EventsOut, WebhooksOut } from '@hookfleet/queue';
import { endWith, messageSpan, type Tracing } from '@hookfleet/tracing';

export function traceWebhooksOut(webhooks: WebhooksOut, tracing: Tracing): WebhooksOut {
  return {
    ...webhooks,
    async enqueue(given) {
      const [first] = given;
      // What is not sampled at the edge is sampled nowhere behind it.
      if (first?.trace === undefined) return webhooks.enqueue(given);
      const span = tracing.startSpan(
        messageSpan({
          operation: 'send',
          queue: 'webhooks',
          parent: first.trace,
          messages: given.length,
          attributes: { 'hookfleet.campaign_id': first.campaignId },
        }),
      );
      const traced = given.map((webhook) => ({ ...webhook, trace: span.context }));
      return endWith([span], webhooks.enqueue(traced));
    },
  };
}

export function traceEventsOut(events: EventsOut, tracing: Tracing): EventsOut {
  return {
    ...events,
    async report(given, trace) {
      if (trace === undefined) return events.report(given);
      const span = tracing.startSpan(
        messageSpan({
          operation: 'send',
          queue: 'results',
          parent: trace,
          messages: given.length,
          attributes: { 'hookfleet.campaign_id': given[0]?.campaignId },
        }),
      );
      return endWith([span], events.report(given, span.context));
    },
  };
}

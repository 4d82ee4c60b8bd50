/**
 * A span for each attempt of a webhook whose trace is sampled, under the call that brought it in; a retry is one more.
 * A batch's attempt is in the trace of its first webhook, and points to those of the others.
 */
import { type Destination, formatWebhookId, type Outcome, recipientsOf, traceOf } from '@hookfleet/contract';
import { type Attributes, endWith, messageSpan, type SpanFacts, type Tracing } from '@hookfleet/tracing';
import type { AttemptWebhook } from './attempt-webhook.ts';

export function traceAttempts(attempt: AttemptWebhook, tracing: Tracing): AttemptWebhook {
  return async (shard, bundle, webhook, destination) => {
    const parent = traceOf(bundle, webhook);
    if (parent === undefined) return attempt(shard, bundle, webhook, destination);
    const { campaignId, channelConfigId, run, first } = bundle;
    const span = tracing.startSpan(
      messageSpan({
        operation: 'process',
        queue: 'webhooks',
        parent,
        links: webhook.links,
        messages: webhook.members === undefined ? undefined : recipientsOf(webhook),
        attributes: {
          'messaging.message.id': formatWebhookId({ shard, run, first, index: webhook.index }),
          'hookfleet.campaign_id': campaignId,
          'hookfleet.message_id': webhook.messageId,
          'hookfleet.channel_config_id': channelConfigId,
          'hookfleet.attempt': bundle.attempt,
          ...destinationAttributes(destination),
        },
      }),
    );
    // The request, the log line and the counting of it go on under this span.
    const traced = { ...webhook, trace: span.context ?? parent };
    return endWith([span], attempt(shard, bundle, traced, destination), ({ outcome }) => factsOf(outcome));
  };
}

/** Without path and query: they may hold secrets. */
function destinationAttributes({ url, method = 'POST' }: Destination): Attributes {
  const { hostname, port, protocol } = new URL(url);
  return {
    'http.request.method': method,
    'server.address': hostname,
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
}

function factsOf({ event, reason, statusCode, final }: Outcome): SpanFacts {
  return {
    attributes: {
      'hookfleet.event': event,
      'hookfleet.reason': reason,
      'hookfleet.final': final,
      'http.response.status_code': statusCode,
    },
    error: reason,
  };
}

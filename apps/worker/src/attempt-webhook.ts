/**
 * One attempt of one webhook, from its destination to its outcome: makes the request, classifies what came back, and
 * decides what follows. Writes nothing.
 */
import {
  type Bundle,
  type BundledWebhook,
  type Destination,
  formatWebhookId,
  type Outcome,
  parseRetryAfterMs,
  traceOf,
} from '@hookfleet/contract';
import { eventIdOf, type RecordedAttempt, recipientsAndMembers } from '@hookfleet/queue';
import { type Classification, classify } from './classify.ts';
import { maskEchoesOf } from './mask-echoes.ts';
import type { RequestedWebhook, RequestWebhook } from './request-webhook.ts';
import { excerptOf } from './response-excerpt.ts';
import { retryDelayMs } from './retry-policy.ts';

export interface AttemptOptions {
  readonly request: RequestWebhook;
  readonly workerId: string;
  readonly now: () => number;
  readonly random: () => number;
}

export type AttemptWebhook = (
  shard: number,
  bundle: Bundle,
  webhook: BundledWebhook,
  destination: Destination,
) => Promise<EndedAttempt>;

export interface EndedAttempt extends RecordedAttempt {
  /** What the response asked for, whether or not the webhook is retried. */
  readonly retryAfterMs: number | undefined;
}

export function createAttemptWebhook({ request, workerId, now, random }: AttemptOptions): AttemptWebhook {
  return async (shard, bundle, webhook, destination) => {
    const { run, first, attempt } = bundle;
    const webhookId = formatWebhookId({ shard, run, first, index: webhook.index });
    const trace = traceOf(bundle, webhook);
    const requested = await request(webhookId, webhook, destination, trace);
    const { answer, durationMs } = requested;
    const endedAtMs = now();
    const classification = classify(answer);
    const retryAfter = answer.kind === 'response' ? answer.headers['retry-after'] : undefined;
    const responseBody = await shownOf(requested, destination, classification);
    const delayMs = classification.retriable
      ? retryDelayMs({
          attempt: attempt - (bundle.attemptsBefore ?? 0),
          dueAtMs: bundle.replayedAt ?? Math.max(bundle.acceptedAt, bundle.deliverAt ?? 0),
          policy: destination.retry,
          retryAfter,
          nowMs: endedAtMs,
          random: random(),
        })
      : undefined;
    const outcome: Outcome = {
      eventId: eventIdOf(webhookId, attempt),
      ...eventOf(classification),
      webhookId,
      campaignId: bundle.campaignId,
      messageId: webhook.messageId,
      ...(bundle.channelConfigId !== undefined && { channelConfigId: bundle.channelConfigId }),
      attempt,
      final: delayMs === undefined,
      ...(answer.kind === 'response' && { statusCode: answer.statusCode }),
      durationMs,
      ...recipientsAndMembers(webhook),
      occurredAt: new Date(endedAtMs).toISOString(),
      workerId,
      ...(responseBody !== undefined && { responseBody }),
      ...(destination.eventProperties !== undefined && { properties: destination.eventProperties }),
    };
    const { cause } = classification;
    return {
      outcome,
      ...(cause !== undefined && { cause }),
      nextAttemptAtMs: delayMs === undefined ? undefined : endedAtMs + delayMs,
      retryAfterMs: parseRetryAfterMs(retryAfter, endedAtMs),
      phases: answer.phases,
      trace,
    };
  };
}

function eventOf({ event, reason }: Classification): Pick<Outcome, 'event' | 'reason'> {
  return reason === undefined ? { event } : { event, reason };
}

/** What helps to find out why it was not delivered, without the secrets that a destination sends back. */
function shownOf(
  { request, answer }: RequestedWebhook,
  destination: Destination,
  { event }: Classification,
): Promise<string | undefined> | string | undefined {
  if (answer.kind === 'failure') return answer.detail;
  if (event === 'webhook.delivered') return undefined;
  if (answer.rawBody.length === 0) return undefined;
  return excerptOf(answer.rawBody, answer.headers, maskEchoesOf(request, destination));
}

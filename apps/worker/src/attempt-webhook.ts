/**
 * One attempt of one webhook, from its destination to its outcome: builds the request, makes it, classifies what
 * came back, and decides what follows. Writes nothing.
 */
import {
  type Bundle,
  type BundledWebhook,
  type Destination,
  formatWebhookId,
  type Outcome,
} from '@hookfleet/contract';
import type { RecordedAttempt } from '@hookfleet/queue';
import { type AttemptResult, type Classification, classify } from './classify.ts';
import type { Deliver } from './deliver.ts';
import { eventIdOf, recipientsAndMembers } from './outcome-from-log.ts';
import { retryDelayMs } from './retry-policy.ts';
import { signatureHeaders } from './sign.ts';

export interface AttemptOptions {
  readonly deliver: Deliver;
  readonly workerId: string;
  /** For destinations that set none, and the most for those that do. */
  readonly attemptTimeoutMs: number;
  readonly now: () => number;
  readonly random: () => number;
}

export type AttemptWebhook = (
  shard: number,
  bundle: Bundle,
  webhook: BundledWebhook,
  destination: Destination,
) => Promise<RecordedAttempt>;

const USER_AGENT = 'hookfleet/0.1';

export function createAttemptWebhook({
  deliver,
  workerId,
  attemptTimeoutMs,
  now,
  random,
}: AttemptOptions): AttemptWebhook {
  return async (shard, bundle, webhook, destination) => {
    const { run, first, attempt } = bundle;
    const webhookId = formatWebhookId({ shard, run, first, index: webhook.index });
    const startedAt = performance.now();
    const result = await deliver({
      url: destination.url,
      method: destination.method ?? 'POST',
      headers: requestHeaders(webhookId, webhook, destination, now()),
      body: webhook.body,
      timeoutMs: Math.min(destination.timeoutMs ?? attemptTimeoutMs, attemptTimeoutMs),
    });
    const durationMs = Math.round(performance.now() - startedAt);
    const endedAtMs = now();
    const classification = classify(result);
    const delayMs = classification.retriable
      ? retryDelayMs({
          attempt: attempt - (bundle.attemptsBefore ?? 0),
          dueAtMs: bundle.replayedAt ?? Math.max(bundle.acceptedAt, bundle.deliverAt ?? 0),
          policy: destination.retry,
          retryAfter: retryAfterOf(result),
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
      ...(result.kind === 'response' && { statusCode: result.statusCode }),
      durationMs,
      ...recipientsAndMembers(webhook),
      occurredAt: new Date(endedAtMs).toISOString(),
      workerId,
      ...(result.kind === 'response' &&
        result.responseBody !== undefined && { responseBody: result.responseBody }),
    };
    return { outcome, nextAttemptAtMs: delayMs === undefined ? undefined : endedAtMs + delayMs };
  };
}

function eventOf({ event, reason }: Classification): Pick<Outcome, 'event' | 'reason'> {
  return reason === undefined ? { event } : { event, reason };
}

function retryAfterOf(result: AttemptResult): string | undefined {
  return result.kind === 'response' ? result.retryAfter : undefined;
}

/** The destination's own headers first: ours can't be replaced by them. */
function requestHeaders(
  webhookId: string,
  webhook: BundledWebhook,
  destination: Destination,
  nowMs: number,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(destination.headers ?? {})) headers[name.toLowerCase()] = value;
  headers['user-agent'] ??= USER_AGENT;
  headers['content-type'] = webhook.contentType ?? 'application/json';
  const authorization = authorizationOf(destination.auth);
  if (authorization !== undefined) headers['authorization'] = authorization;
  if (destination.auth?.type === 'header')
    headers[destination.auth.name.toLowerCase()] = destination.auth.value;
  return Object.assign(
    headers,
    signatureHeaders({ webhookId, nowMs, body: webhook.body, secrets: destination.signingSecrets }),
  );
}

function authorizationOf(auth: Destination['auth']): string | undefined {
  switch (auth?.type) {
    case undefined:
    case 'header':
      return undefined;
    case 'basic':
      return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
    case 'bearer':
      return `Bearer ${auth.token}`;
  }
}

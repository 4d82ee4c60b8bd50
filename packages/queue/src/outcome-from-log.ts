/** An attempt's outcome as its worker emitted it, or was about to, from the attempt log: same id, same facts. */
import {
  type Bundle,
  type BundledWebhook,
  type Destination,
  formatWebhookId,
  type Outcome,
  recipientsOf,
} from '@hookfleet/contract';
import type { LoggedAttempt } from './attempt-log.ts';

export function outcomeFromLog(
  shard: number,
  bundle: Bundle,
  webhook: BundledWebhook,
  logged: LoggedAttempt,
  eventProperties: Destination['eventProperties'],
): Outcome {
  const webhookId = formatWebhookId({ shard, run: bundle.run, first: bundle.first, index: webhook.index });
  const { nextAttemptAtMs: _next, occurredAtMs, messageId: _messageId, ...ofAttempt } = logged;
  // What happened on the way to the outcome stays in the log.
  const { phases: _phases, cause: _cause, ...facts } = ofAttempt;
  return {
    eventId: eventIdOf(webhookId, logged.attempt),
    webhookId,
    campaignId: bundle.campaignId,
    messageId: webhook.messageId,
    ...(bundle.channelConfigId !== undefined && { channelConfigId: bundle.channelConfigId }),
    ...recipientsAndMembers(webhook),
    occurredAt: new Date(occurredAtMs).toISOString(),
    ...facts,
    // Not in the log: they are the destination's as it is now.
    ...(eventProperties !== undefined && { properties: eventProperties }),
  };
}

/** How many the webhook is for, and where they are counted. */
export function recipientsAndMembers(webhook: BundledWebhook): Pick<Outcome, 'recipients' | 'members'> {
  const { members } = webhook;
  return { recipients: recipientsOf(webhook), ...(members !== undefined && { members }) };
}

/** Made of the webhook's id and the attempt: an outcome that arrives twice is known by it. */
export function eventIdOf(webhookId: string, attempt: number): string {
  return `ev_${webhookId.slice('wh_'.length)}_${attempt}`;
}

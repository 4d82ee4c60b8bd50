/** Both ends of the webhooks queue over a Redis of the test's. */
import type { Bundle, BundledWebhook, Outcome } from '@hookfleet/contract';
import { formatWebhookId } from '@hookfleet/contract';
import {
  type CampaignBacklog,
  connectRedis,
  createCampaignBacklog,
  type RedisConnection,
  type WebhookToEnqueue,
} from '../src/index.ts';

export function connect(url: string): RedisConnection {
  return connectRedis({ url, name: 'test', temper: 'patient', onError: () => undefined });
}

export function webhook(changes: Partial<WebhookToEnqueue> = {}): WebhookToEnqueue {
  return {
    campaignId: 'c',
    messageId: 'm',
    destination: { url: 'http://127.0.0.1:9/hook' },
    body: '{}',
    ...changes,
  };
}

export function bundleOf(webhooks: number, changes: Partial<Bundle> = {}): Bundle {
  return {
    version: 1,
    campaignId: 'c',
    run: '0123456789ab',
    first: 0,
    acceptedAt: Date.now(),
    attempt: 1,
    destination: { url: 'http://127.0.0.1:9/hook' },
    webhooks: Array.from({ length: webhooks }, (_, index) => ({
      index,
      messageId: `m-${index}`,
      body: '{}',
    })),
    ...changes,
  };
}

export function outcomeOf(bundle: Bundle, webhook: BundledWebhook, changes: Partial<Outcome> = {}): Outcome {
  const webhookId = formatWebhookId({ shard: 0, run: bundle.run, first: bundle.first, index: webhook.index });
  return {
    eventId: `ev_${webhookId}_${bundle.attempt}`,
    event: 'webhook.delivered',
    webhookId,
    campaignId: bundle.campaignId,
    messageId: webhook.messageId,
    attempt: bundle.attempt,
    final: true,
    durationMs: 5,
    recipients: 1,
    occurredAt: new Date().toISOString(),
    workerId: 'w',
    ...changes,
  };
}

export const BOUNCED = {
  event: 'webhook.bounced',
  reason: 'http_5xx',
  statusCode: 503,
  final: false,
} as const;

/** What gives bundles their priority. It tells Redis a moment later, and a test that has ended by then doesn't care. */
export function backlogOf(connection: RedisConnection, prefix: string, shards = 1): CampaignBacklog {
  return createCampaignBacklog({
    connection,
    prefix,
    shards,
    priorityOf: () => 'normal',
    onError: () => undefined,
  });
}

/** Both ends of the webhooks queue over a Redis of the test's. */
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import type { Bundle, BundledWebhook, Outcome } from '@hookfleet/contract';
import { formatWebhookId } from '@hookfleet/contract';
import { startTestRedis } from '@hookfleet/testkit';
import {
  type CampaignBacklog,
  connectRedis,
  createCampaignBacklog,
  disconnectRedis,
  eventIdOf,
  type RedisConnection,
  type WebhookToEnqueue,
} from '../src/index.ts';

export function connect(url: string, temper: 'patient' | 'failFast' = 'patient'): RedisConnection {
  return connectRedis({ url, name: 'test', temper, onError: () => undefined });
}

export interface TestServer {
  readonly redis: Awaited<ReturnType<typeof startTestRedis>>;
  readonly connection: RedisConnection;
  /** Another for each test. */
  readonly prefix: string;
}

/** A Redis for all tests of a file, which it is called at the top of: there from the first hook on, and then gone. */
export function testServer(): TestServer {
  const server = {} as { -readonly [K in keyof TestServer]: TestServer[K] };
  let prefixes = 0;
  beforeAll(async () => {
    server.redis = await startTestRedis();
    server.connection = connect(server.redis.url);
  });
  beforeEach(() => {
    prefixes += 1;
    server.prefix = `t${prefixes}`;
  });
  afterAll(async () => {
    disconnectRedis(server.connection);
    await server.redis.stop();
  });
  return server;
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
    eventId: eventIdOf(webhookId, bundle.attempt),
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

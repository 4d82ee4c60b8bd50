/** Tags, ids and examples of the producer's calls, for openapi.json. A test makes each call with its example. */
import {
  Authentication,
  Batching,
  CampaignControls,
  Channel,
  CustomEvent,
  Destination,
  EventType,
  Headers,
  Problem,
  RateLimit,
  RetryPolicy,
  SigningSecrets,
  TimingsMs,
  Tls,
  Webhook,
  WebhookStatus,
} from '@hookfleet/contract';
import type { ApiDocument } from '@hookfleet/http-api';
import {
  EXAMPLE_CAMPAIGN_ID,
  EXAMPLE_CHANNEL_ID,
  EXAMPLE_WEBHOOK_ID,
  OPERATION_DOCUMENTS,
  OPERATION_TAGS,
} from '@hookfleet/operations';

const WEBHOOK = {
  campaignId: EXAMPLE_CAMPAIGN_ID,
  messageId: 'welcome',
  userId: 'user-1',
  destination: { url: 'https://webhooks.example.com/hooks/1' },
  payload: { orderId: 1024, total: 59.9 },
};
const EVENT = {
  campaignId: EXAMPLE_CAMPAIGN_ID,
  messageId: 'welcome',
  event: 'shop.order',
  properties: { price: 59.9, currency: 'EUR' },
};

const webhook = { tag: 'Webhooks', parameters: { id: EXAMPLE_WEBHOOK_ID } };
const channel = { tag: 'Channels', parameters: { channelConfigId: EXAMPLE_CHANNEL_ID } };
const eventType = { tag: 'Custom events', parameters: { name: 'shop.order' } };

export const API_DOCUMENT: ApiDocument = {
  tags: {
    Webhooks: OPERATION_TAGS.webhooks,
    Channels: OPERATION_TAGS.channels,
    Campaigns: OPERATION_TAGS.campaigns,
    'Custom events': "Events that a customer's own system reports for a campaign.",
  },
  operations: {
    'POST /v1/webhooks': {
      tag: 'Webhooks',
      id: 'enqueueWebhook',
      parameters: { 'idempotency-key': 'order-1024' },
      body: WEBHOOK,
    },
    'POST /v1/webhooks/bulk': {
      tag: 'Webhooks',
      id: 'enqueueWebhooks',
      body: {
        webhooks: [
          { ...WEBHOOK, idempotencyKey: 'order-1025' },
          { ...WEBHOOK, userId: 'user-2', idempotencyKey: 'order-1026' },
        ],
      },
    },
    'GET /v1/webhooks/{id}': { ...webhook, id: 'getWebhook' },
    'PUT /v1/channels/{channelConfigId}': {
      ...channel,
      id: 'putChannel',
      body: {
        url: 'https://webhooks.example.com/hooks/crm',
        headers: { 'X-Tenant': 'acme' },
        retry: { delaysMs: [2_000, 10_000, 60_000], jitter: 0.2 },
        rateLimit: { limit: 50, per: 'second' },
        concurrencyLimit: 20,
      },
    },
    'GET /v1/channels/{channelConfigId}': { ...channel, id: 'getChannel' },
    'DELETE /v1/channels/{channelConfigId}': { ...channel, id: 'deleteChannel' },
    'GET /v1/channels': { tag: 'Channels', id: 'listChannels' },
    'POST /v1/channels/{channelConfigId}/test': {
      ...channel,
      id: 'testChannel',
      body: { payload: { test: true } },
    },
    'PUT /v1/event-types/{name}': {
      ...eventType,
      id: 'putEventType',
      body: { properties: { price: 'FLOAT', currency: 'STRING' }, strict: false },
    },
    'GET /v1/event-types/{name}': { ...eventType, id: 'getEventType' },
    'DELETE /v1/event-types/{name}': { ...eventType, id: 'deleteEventType' },
    'GET /v1/event-types': { tag: 'Custom events', id: 'listEventTypes' },
    'POST /v1/events': { tag: 'Custom events', id: 'reportEvents', body: EVENT },
    ...OPERATION_DOCUMENTS,
  },
  schemas: {
    Authentication,
    Batching,
    CampaignControls,
    Channel,
    CustomEvent,
    Destination,
    EventType,
    Headers,
    Problem,
    RateLimit,
    RetryPolicy,
    SigningSecrets,
    TimingsMs,
    Tls,
    Webhook,
    WebhookStatus,
  },
};

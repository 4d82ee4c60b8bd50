/** How the calls of operators are documented. Their examples follow those of the producer: its channel, its campaign. */
import type { OperationDocument } from '@hookfleet/http-api';

/** A dead letter's in the examples. */
export const EXAMPLE_WEBHOOK_ID = 'wh_0_0123456789ab_0_0';
export const EXAMPLE_CAMPAIGN_ID = 'spring-sale';
export const EXAMPLE_CHANNEL_ID = 'crm';

const campaign = { tag: 'Campaigns', parameters: { id: EXAMPLE_CAMPAIGN_ID } };
const channel = { tag: 'Channels', parameters: { channelConfigId: EXAMPLE_CHANNEL_ID } };

export const OPERATION_DOCUMENTS: Readonly<Record<string, OperationDocument>> = {
  'POST /v1/channels/{channelConfigId}/pause': { ...channel, id: 'pauseChannel' },
  'POST /v1/channels/{channelConfigId}/resume': { ...channel, id: 'resumeChannel' },
  'GET /v1/campaigns/{id}/controls': { ...campaign, id: 'getCampaignControls' },
  'PUT /v1/campaigns/{id}/controls': {
    ...campaign,
    id: 'putCampaignControls',
    body: { rateLimit: { limit: 100, per: 'second' }, priority: 'high', deadline: '2099-12-31T23:00:00Z' },
  },
  'POST /v1/campaigns/{id}/pause': { ...campaign, id: 'pauseCampaign' },
  'POST /v1/campaigns/{id}/resume': { ...campaign, id: 'resumeCampaign' },
  'POST /v1/campaigns/{id}/cancel': { ...campaign, id: 'cancelCampaign' },
  'POST /v1/webhooks/{id}/replay': {
    tag: 'Webhooks',
    id: 'replayWebhook',
    parameters: { id: EXAMPLE_WEBHOOK_ID },
  },
  'POST /v1/campaigns/{id}/replay': {
    ...campaign,
    id: 'replayCampaign',
    body: { reason: 'http_5xx', limit: 1_000, perSecond: 50 },
  },
  'GET /v1/campaigns/{id}/replay': {
    ...campaign,
    id: 'previewCampaignReplay',
    parameters: { id: EXAMPLE_CAMPAIGN_ID, reason: 'http_5xx', limit: '1000', perSecond: '50' },
  },
};

export const OPERATION_TAGS = {
  webhooks: 'One HTTP request each, to a destination.',
  campaigns: 'What the counters belong to.',
  channels: 'Destinations that are stored under an id, and their circuits.',
} as const;

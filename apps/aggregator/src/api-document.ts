/** Tags, ids and examples of the aggregator's calls, for openapi.json. A test makes each call with its example. */
import { CampaignControls, CampaignTotals, Problem, RateLimit } from '@hookfleet/contract';
import type { ApiDocument } from '@hookfleet/http-api';
import { EXAMPLE_CAMPAIGN_ID, OPERATION_DOCUMENTS, OPERATION_TAGS } from '@hookfleet/operations';

const campaign = { tag: 'Campaigns', parameters: { id: EXAMPLE_CAMPAIGN_ID } };

export const API_DOCUMENT: ApiDocument = {
  tags: {
    Campaigns: OPERATION_TAGS.campaigns,
    Webhooks: OPERATION_TAGS.webhooks,
    Channels: OPERATION_TAGS.channels,
    Fleet: 'Workers, queues, and what happened to them.',
    Session: 'Signing in at the page.',
  },
  operations: {
    'GET /v1/campaigns': {
      tag: 'Campaigns',
      id: 'listCampaigns',
      parameters: { limit: '50', q: 'spring', sort: 'lastEvent', spark: '24h' },
    },
    'GET /v1/campaigns/{id}': { ...campaign, id: 'getCampaign' },
    'GET /v1/campaigns/{id}/series': {
      ...campaign,
      id: 'getCampaignSeries',
      parameters: { id: EXAMPLE_CAMPAIGN_ID, step: 'hour', groupBy: 'event', tz: 'Europe/Berlin' },
    },
    'GET /v1/campaigns/{id}/failures': {
      ...campaign,
      id: 'listCampaignFailures',
      parameters: { id: EXAMPLE_CAMPAIGN_ID, reason: 'http_5xx', limit: '50' },
    },
    'GET /v1/campaigns/{id}/audit': { ...campaign, id: 'auditCampaign' },
    'GET /v1/fleet': { tag: 'Fleet', id: 'getFleet' },
    'GET /v1/fleet/events': { tag: 'Fleet', id: 'listFleetEvents', parameters: { limit: '50' } },
    'GET /v1/stream': {
      tag: 'Fleet',
      id: 'stream',
      parameters: { topic: 'campaign', campaign: EXAMPLE_CAMPAIGN_ID },
    },
    'POST /v1/session': { tag: 'Session', id: 'signIn' },
    'GET /v1/session': { tag: 'Session', id: 'getSession' },
    'DELETE /v1/session': { tag: 'Session', id: 'signOut' },
    ...OPERATION_DOCUMENTS,
  },
  schemas: { CampaignControls, CampaignTotals, Problem, RateLimit },
};

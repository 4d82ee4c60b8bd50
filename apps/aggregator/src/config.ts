/** The aggregator's configuration: every variable with its default, bounds and consequence. */
import { checkKeyPrefix, parseEncryptionKey, parseRedisUrl } from '@hookfleet/queue';
import {
  bindProblems,
  type ConfigOf,
  durationMs,
  encryptionVariables,
  fleetVariables,
  integer,
  loadConfig,
  recoveryVariables,
} from '@hookfleet/runtime';

export const AGGREGATOR_VARIABLES = {
  ...encryptionVariables(parseEncryptionKey),
  ...fleetVariables({ port: 8081, checkRedisUrl: parseRedisUrl, checkKeyPrefix }),
  ...recoveryVariables(),
  retentionMinutesMs: durationMs('HOOKFLEET_RETENTION_MINUTES', {
    default: '48h',
    min: '1h',
    max: '30d',
    help: 'Statistics by the minute are kept so long.',
  }),
  retentionHoursMs: durationMs('HOOKFLEET_RETENTION_HOURS', {
    default: '60d',
    min: '1d',
    max: '3650d',
    help: 'Statistics by the half hour are kept so long: what hours, and days of time zones, are made of.',
  }),
  retentionDaysMs: durationMs('HOOKFLEET_RETENTION_DAYS', {
    default: '730d',
    min: '7d',
    max: '3650d',
    help: 'Statistics by the day are kept so long.',
  }),
  retentionCampaignsMs: durationMs('HOOKFLEET_RETENTION_CAMPAIGNS', {
    default: '730d',
    // The marks that keep a webhook from being counted twice go then, and deliverAt may lie a year ahead.
    min: '400d',
    max: '3650d',
    help: "A campaign's totals are kept so long after its last event.",
  }),
  retentionEventIdsMs: durationMs('HOOKFLEET_RETENTION_EVENT_IDS', {
    default: '7d',
    min: '1d',
    max: '30d',
    help: "A custom event's id is recognized for so long after it was counted. 60 bytes each in Redis.",
  }),
  metricsCampaigns: integer('HOOKFLEET_METRICS_CAMPAIGNS', {
    default: 100,
    min: 0,
    max: 1_000,
    help: 'Campaigns, the most active, that /metrics tells apart; the others are summed. The same in every aggregator.',
  }),
};

export type AggregatorConfig = ConfigOf<typeof AGGREGATOR_VARIABLES>;

export function loadAggregatorConfig(environment: NodeJS.ProcessEnv): AggregatorConfig {
  return loadConfig(AGGREGATOR_VARIABLES, environment, ({ host, apiKeys }) => bindProblems(host, apiKeys));
}

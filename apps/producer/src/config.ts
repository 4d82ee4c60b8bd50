/** The producer's configuration: every variable with its default, bounds and consequence. */
import { checkKeyPrefix, parseEncryptionKey, parseRedisUrl } from '@hookfleet/queue';
import {
  bindProblems,
  type ConfigOf,
  durationMs,
  encryptionVariables,
  fleetVariables,
  integer,
  loadConfig,
} from '@hookfleet/runtime';

export const PRODUCER_VARIABLES = {
  ...encryptionVariables(parseEncryptionKey),
  ...fleetVariables({ port: 8080, checkRedisUrl: parseRedisUrl, checkKeyPrefix }),
  bundleSize: integer('HOOKFLEET_BUNDLE_SIZE', {
    default: 25,
    min: 1,
    max: 200,
    help: 'Webhooks that travel as one job at most. More cost Redis less, and spread less evenly over the workers.',
  }),
  idempotencyRetentionMs: durationMs('HOOKFLEET_IDEMPOTENCY_RETENTION', {
    default: '24h',
    min: '1m',
    max: '7d',
    help: 'A repeated idempotencyKey is recognized for so long. Keep HOOKFLEET_ATTEMPT_RETENTION longer.',
  }),
  requestsMax: integer('HOOKFLEET_MAX_REQUESTS', {
    default: 1_000,
    min: 1,
    max: 100_000,
    help: 'Requests in flight at once; more are answered with 503.',
  }),
  bodyBytesHeldMax: integer('HOOKFLEET_MAX_BODY_BYTES', {
    default: 256 * 1024 * 1024,
    min: 1024,
    max: 16 * 1024 ** 3,
    help: 'Bytes of memory that request bodies may take at once: 4 for each byte of a body, and 72 for each JSON value of them, webhooks not counted. A request beyond is answered with 503.',
  }),
};

export type ProducerConfig = ConfigOf<typeof PRODUCER_VARIABLES>;

export function loadProducerConfig(environment: NodeJS.ProcessEnv): ProducerConfig {
  return loadConfig(PRODUCER_VARIABLES, environment, ({ host, apiKeys }) => bindProblems(host, apiKeys));
}

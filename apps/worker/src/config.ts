/** The worker's configuration: every variable with its default, bounds and consequence. */
import { ATTEMPT_TIMEOUT_MAX_MS } from '@hookfleet/contract';
import { checkKeyPrefix, parseEncryptionKey, parseRedisUrl } from '@hookfleet/queue';
import {
  bindProblems,
  type ConfigOf,
  choice,
  durationMs,
  encryptionVariables,
  fleetVariables,
  integer,
  list,
  loadConfig,
  optional,
  recoveryVariables,
} from '@hookfleet/runtime';
import { parseRange } from './egress-guard.ts';
import { HTTP_CLIENTS } from './open-http-client.ts';
import { parseNoProxy, parseProxyUrl } from './proxy-settings.ts';

export const WORKER_VARIABLES = {
  ...encryptionVariables(parseEncryptionKey),
  ...fleetVariables({ port: 8082, checkRedisUrl: parseRedisUrl, checkKeyPrefix }),
  ...recoveryVariables(),
  concurrency: integer('HOOKFLEET_CONCURRENCY', {
    default: 200,
    min: 1,
    max: 10_000,
    help: 'Attempts in flight in this process; a killed worker repeats at most so many.',
  }),
  attemptTimeoutMs: durationMs('HOOKFLEET_ATTEMPT_TIMEOUT', {
    default: '30s',
    min: '100ms',
    max: `${ATTEMPT_TIMEOUT_MAX_MS / 1000}s`,
    help: 'For a whole attempt, where its destination sets none, and the most where it does.',
  }),
  attemptRetentionMs: durationMs('HOOKFLEET_ATTEMPT_RETENTION', {
    default: '3d',
    min: '1h',
    max: '90d',
    help: 'Attempts of delivered webhooks are kept so long.',
  }),
  deadLetterRetentionMs: durationMs('HOOKFLEET_DEAD_LETTER_RETENTION', {
    default: '30d',
    min: '1h',
    max: '365d',
    help: 'Webhooks that ended undelivered are kept so long, with their attempts.',
  }),
  egressAllow: list('HOOKFLEET_EGRESS_ALLOW', {
    help: 'CIDR ranges, beside the public internet, that webhooks may be sent to.',
    check: parseRange,
  }),
  httpsProxy: optional('HTTPS_PROXY', {
    secret: true,
    lowerCaseToo: true,
    help: 'http or https URL of the proxy that https destinations are reached through, by CONNECT; also read in lower case, as are the next two. It resolves names: HOOKFLEET_EGRESS_ALLOW then holds for literal addresses alone.',
    check: parseProxyUrl,
  }),
  httpProxy: optional('HTTP_PROXY', {
    secret: true,
    lowerCaseToo: true,
    help: 'The same for http destinations, in absolute form.',
    check: parseProxyUrl,
  }),
  noProxy: list('NO_PROXY', {
    lowerCaseToo: true,
    help: 'Names (and what is below them), addresses, CIDR ranges or * that are reached directly, as loopback addresses always are.',
    check: parseNoProxy,
  }),
  httpClient: choice('HOOKFLEET_HTTP_CLIENT', HTTP_CLIENTS, {
    default: 'got',
    help: 'The HTTP client of the attempts. undici takes less processor time a request, and takes an unasked 100 Continue for a broken answer.',
  }),
};

export type WorkerConfig = ConfigOf<typeof WORKER_VARIABLES>;

export function loadWorkerConfig(environment: NodeJS.ProcessEnv): WorkerConfig {
  return loadConfig(
    WORKER_VARIABLES,
    environment,
    ({ attemptTimeoutMs, lockDurationMs, shutdownTimeoutMs, host, apiKeys }) => [
      ...bindProblems(host, apiKeys),
      ...(lockDurationMs > attemptTimeoutMs
        ? []
        : [
            'HOOKFLEET_LOCK_DURATION: must be longer than HOOKFLEET_ATTEMPT_TIMEOUT, or a slow webhook is sent twice at once',
          ]),
      ...(shutdownTimeoutMs > attemptTimeoutMs
        ? []
        : [
            'HOOKFLEET_SHUTDOWN_TIMEOUT: must be longer than HOOKFLEET_ATTEMPT_TIMEOUT, or a stop cuts attempts off',
          ]),
    ],
  );
}

/** The variables that mean the same in every process of the fleet. */
import { parseApiKey } from './api-keys.ts';
import { choice, durationMs, integer, list, required, text } from './load-config.ts';
import { LOG_LEVELS } from './logger.ts';

/** `checkRedisUrl` and `checkKeyPrefix` throw a TypeError for a value that can't be used. */
export function fleetVariables(options: {
  port: number;
  checkRedisUrl: (url: string) => unknown;
  checkKeyPrefix: (prefix: string) => unknown;
}) {
  return {
    redisUrl: required('REDIS_URL', {
      help: 'redis:// or rediss:// address; several, by commas, for Redis Cluster, or one that ends with a comma; or redis+sentinel://host:port,host:port/master-name.',
      check: options.checkRedisUrl,
    }),
    shards: integer('HOOKFLEET_SHARDS', {
      default: 1,
      min: 1,
      max: 1024,
      help: 'Queues that the webhooks are spread over, each in one slot of a Redis Cluster. The most that any process of the fleet was told counts for all.',
    }),
    keyPrefix: text('HOOKFLEET_KEY_PREFIX', {
      default: 'hookfleet',
      help: 'Begins every key, so that fleets can share a Redis. Without braces.',
      check: options.checkKeyPrefix,
    }),
    waitReplicas: integer('HOOKFLEET_WAIT_REPLICAS', {
      default: 0,
      min: 0,
      max: 10,
      help: 'Replicas of Redis that must have what a call enqueues or changes before it is answered; with fewer it ends in 503. Keeps what was accepted when a master fails and a replica takes over. In a cluster, set it in every process: what leaves one master for another is waited for too.',
    }),
    shutdownTimeoutMs: durationMs('HOOKFLEET_SHUTDOWN_TIMEOUT', {
      default: '40s',
      min: '1s',
      max: '10m',
      help: 'A process that has not drained by then ends with status 1.',
    }),
    port: integer('PORT', {
      default: options.port,
      defaultText: '8080, 8081, 8082',
      min: 0,
      max: 65_535,
      help: 'HTTP port of the producer, the aggregator, the worker; 0 takes a free one.',
    }),
    host: text('HOST', { default: '127.0.0.1', help: 'Address to listen on.' }),
    apiKeys: list('HOOKFLEET_API_KEYS', {
      secret: true,
      help: 'Accepted as bearer tokens by the HTTP APIs; needed where HOST is not loopback. One written enqueue:<key> brings webhooks and events in, read:<key> looks, operate:<key> looks and operates; without a prefix it may do everything.',
      check: parseApiKey,
    }),
    logLevel: choice('LOG_LEVEL', LOG_LEVELS, {
      default: 'info',
      help: 'debug adds a line per delivered webhook.',
    }),
  };
}

/** For processes that read or write secrets; the same in all of them. `check` throws a TypeError for what is no key. */
export function encryptionVariables(check: (key: string) => unknown) {
  return {
    encryptionKeys: list('HOOKFLEET_ENCRYPTION_KEYS', {
      secret: true,
      help: 'base64 of 32 bytes each: channels and inline destinations are encrypted in Redis with the first, and read with all; without any they lie there in clear.',
      check,
    }),
  };
}

/** How soon the jobs of a process that died are taken up again; the same in the whole fleet. */
export function recoveryVariables() {
  return {
    lockDurationMs: durationMs('HOOKFLEET_LOCK_DURATION', {
      default: '40s',
      min: '1s',
      max: '10m',
      help: 'A job whose process is silent for so long may be run by another.',
    }),
    stalledIntervalMs: durationMs('HOOKFLEET_STALLED_INTERVAL', {
      default: '15s',
      min: '500ms',
      max: '5m',
      help: 'How often jobs whose process died are looked for.',
    }),
  };
}

/** A producer that listens in this process, as main.ts puts it together, over a Redis of the test's. */
import {
  connectRedis,
  createAnswerInTime,
  createSecretBox,
  checkWrites,
  createQueueMonitor,
  disconnectRedis,
  isRedisUnavailable,
  openCampaignControls,
  openCampaignJobs,
  openCampaignReferences,
  openChannels,
  openChannelTestsOut,
  openCircuits,
  openDeadLetters,
  openEventsOut,
  openEventTypes,
  openFleetEvents,
  openWebhooksOut,
  type RedisConnection,
  openKnownControls,
} from '@hookfleet/queue';
import { startKnownEventTypes } from '@hookfleet/intake';
import { createPriorityChanges } from '@hookfleet/operations';
import { createLogger, createMetricsRegistry } from '@hookfleet/runtime';
import { eventually } from '@hookfleet/testkit';
import { buildApp } from '../src/app.ts';
import { createProducerMetrics } from '../src/metrics.ts';

export interface ProducerOptions {
  readonly prefix?: string;
  readonly apiKeys?: readonly string[];
  readonly bundleSize?: number;
  readonly requestsMax?: number;
  readonly bodyBytesHeldMax?: number;
  readonly now?: () => number;
  readonly encryptionKeys?: readonly string[];
  readonly channelTestPickupMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: an answer is what the test claims it to be.
  readonly json: any;
}

export interface ProducerUnderTest {
  readonly url: string;
  readonly connection: RedisConnection;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Jobs of the webhooks queue, waiting and delayed. */
  jobs(): Promise<number>;
  close(): Promise<void>;
}

export async function setupProducer(
  redisUrl: string,
  options: ProducerOptions = {},
): Promise<ProducerUnderTest> {
  const { prefix = 'test', bundleSize = 25, now = Date.now } = options;
  const connection = connectRedis({
    url: redisUrl,
    name: 'test',
    temper: 'failFast',
    onError: () => undefined,
  });
  await eventually(() => connection.ping());
  const secrets = createSecretBox(options.encryptionKeys ?? []);
  const controls = openKnownControls({ connection, prefix, onError: () => undefined });
  const webhooks = openWebhooksOut({
    connection,
    prefix,
    shards: 1,
    bundleSize,
    idempotencyRetentionMs: 60_000,
    secrets,
    controls,
    onError: () => undefined,
  });
  const monitor = createQueueMonitor({ connection, prefix, shards: 1 });
  const deadLetters = openDeadLetters({ connection, prefix, shards: 1, controls });
  const jobs = openCampaignJobs({ connection, prefix, shards: 1 });
  const priorityChanges = createPriorityChanges({
    jobs,
    onMoved: () => undefined,
    onError: () => undefined,
  });
  const events = openEventsOut({ connection, prefix, shards: 1 });
  const channelTests = openChannelTestsOut({ connection, prefix, shards: 1 });
  const registry = createMetricsRegistry();
  const metrics = createProducerMetrics(registry);
  const eventTypes = openEventTypes({ connection, prefix, now });
  const knownEventTypes = await startKnownEventTypes({
    store: eventTypes,
    onGone: metrics.eventGone,
    onError: () => undefined,
  });
  const app = await buildApp({
    answerInTime: createAnswerInTime(connection),
    logger: createLogger({ app: 'producer', level: 'silent' }),
    apiKeys: options.apiKeys ?? [],
    webhooks,
    channels: openChannels({ connection, prefix, secrets }),
    channelTests,
    channelTestPickupMs: options.channelTestPickupMs,
    circuits: openCircuits({ connection, prefix }),
    controls: openCampaignControls({ connection, prefix }),
    priorityChanges,
    fleetEvents: openFleetEvents({ connection, prefix }),
    deadLetters,
    events,
    eventTypes,
    knownEventTypes,
    references: openCampaignReferences({ connection, prefix }),
    metrics,
    requestsMax: options.requestsMax ?? 1_000,
    bodyBytesHeldMax: options.bodyBytesHeldMax ?? 256 * 1024 * 1024,
    isUnavailable: isRedisUnavailable,
    now,
    ops: {
      registry,
      healthy: {},
      ready: { redis: () => checkWrites({ connection, prefix, shards: 1 }) },
    },
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    connection,
    async call(method, path, body, headers = {}) {
      const isText = typeof body === 'string';
      const response = await fetch(url + path, {
        method,
        headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json') === true;
      return { status: response.status, headers: response.headers, json: isJson ? JSON.parse(text) : text };
    },
    async jobs() {
      const { queues } = await monitor.sample();
      return queues
        .filter(({ queue, state }) => queue === 'webhooks' && (state === 'waiting' || state === 'delayed'))
        .reduce((sum, { jobs }) => sum + jobs, 0);
    },
    async close() {
      await app.close();
      await webhooks.close();
      await events.close();
      await knownEventTypes.stop();
      await deadLetters.close();
      await priorityChanges.stop();
      await jobs.close();
      await channelTests.close();
      await monitor.close();
      disconnectRedis(connection);
    },
  };
}

/** A webhook that nothing is wrong with; `changes` make it another, undefined takes a field away. */
export function webhook(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    campaignId: 'spring-sale',
    messageId: 'welcome',
    destination: { url: 'https://example.com/hook' },
    payload: { hello: 'world' },
    ...changes,
  };
}

/** The fields that a problem+json answer names, in order. */
export function fieldsOf({ json }: Answer): string[] {
  return (json.errors as { field: string }[]).map(({ field }) => field);
}

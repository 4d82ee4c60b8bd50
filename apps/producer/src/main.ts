/** A producer's life: takes webhooks in over HTTP and puts them into Redis, until it is told to stop. */
import {
  checkRedis,
  connectRedis,
  createSecretBox,
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
  startKnownControls,
} from '@hookfleet/queue';
import { createPriorityChanges } from '@hookfleet/operations';
import {
  createLifecycle,
  createLogger,
  createMetricsRegistry,
  describeConfig,
  listen,
  startApplication,
} from '@hookfleet/runtime';
import { buildApp } from './app.ts';
import { loadProducerConfig, PRODUCER_VARIABLES } from './config.ts';
import { startKnownEventTypes } from './known-event-types.ts';
import { createProducerMetrics } from './metrics.ts';

await startApplication('producer', async () => {
  const config = loadProducerConfig(process.env);
  // The settings will do, and nothing is started.
  if (process.argv[2] === '--check') return;
  const logger = createLogger({ app: 'producer', level: config.logLevel });
  const lifecycle = createLifecycle({ logger, shutdownTimeoutMs: config.shutdownTimeoutMs });
  logger.info(
    { config: describeConfig(PRODUCER_VARIABLES, config), node: process.version },
    'producer.starting',
  );

  const onError = (error: Error, context: Record<string, unknown> = {}) =>
    logger.error({ err: error, ...context }, 'redis.failed');

  const connection = connectRedis({
    url: config.redisUrl,
    name: 'hookfleet-producer',
    temper: 'failFast',
    onError: (error) => onError(error),
  });
  lifecycle.onClose('redis', () => disconnectRedis(connection));
  await checkRedis(connection);
  const secrets = createSecretBox(config.encryptionKeys);

  const shardOptions = { connection, prefix: config.keyPrefix, shards: config.shards, onError };

  const controls = openCampaignControls(shardOptions);
  const knownControls = await startKnownControls({
    store: controls,
    onCalledOff: () => undefined,
    onError,
    now: Date.now,
  });
  lifecycle.onClose('campaign controls', () => knownControls.stop());
  const webhooks = openWebhooksOut({
    ...shardOptions,
    bundleSize: config.bundleSize,
    idempotencyRetentionMs: config.idempotencyRetentionMs,
    secrets,
    priorityOf: (campaignId) => knownControls.of(campaignId).priority ?? 'normal',
    onError,
  });
  lifecycle.onClose('webhooks queue', () => webhooks.close());

  const deadLetters = openDeadLetters(shardOptions);
  lifecycle.onClose('dead letters', () => deadLetters.close());

  const jobs = openCampaignJobs(shardOptions);
  lifecycle.onClose('campaign jobs', () => jobs.close());
  const priorityChanges = createPriorityChanges({
    jobs,
    onMoved: (campaignId, moved) => logger.info({ campaignId, jobs: moved }, 'campaign.reprioritized'),
    onError,
  });
  lifecycle.onClose('priority changes', () => priorityChanges.stop());
  const events = openEventsOut(shardOptions);
  lifecycle.onClose('events', () => events.close());
  const channelTests = openChannelTestsOut(shardOptions);
  lifecycle.onClose('channel tests', () => channelTests.close());

  const registry = createMetricsRegistry();
  const metrics = createProducerMetrics(registry);
  const eventTypes = openEventTypes(shardOptions);
  const knownEventTypes = await startKnownEventTypes({
    store: eventTypes,
    onGone: metrics.eventGone,
    onError,
  });
  lifecycle.onClose('event types', () => knownEventTypes.stop());

  const app = await buildApp({
    logger,
    apiKeys: config.apiKeys,
    webhooks,
    channels: openChannels({ ...shardOptions, secrets }),
    channelTests,
    circuits: openCircuits(shardOptions),
    controls,
    priorityChanges,
    fleetEvents: openFleetEvents(shardOptions),
    deadLetters,
    events,
    eventTypes,
    knownEventTypes,
    references: openCampaignReferences(shardOptions),
    metrics,
    requestsMax: config.requestsMax,
    bodyBytesHeldMax: config.bodyBytesHeldMax,
    isUnavailable: isRedisUnavailable,
    now: Date.now,
    ops: {
      registry,
      healthy: {},
      ready: {
        redis: async () => ((await connection.ping()) === 'PONG' ? undefined : 'no PONG'),
        lifecycle: () => (lifecycle.isDraining() ? 'draining' : undefined),
      },
    },
  });
  lifecycle.onClose('server', () => app.close());
  const url = await listen(app, config);
  logger.info({ url }, 'producer.started');
});

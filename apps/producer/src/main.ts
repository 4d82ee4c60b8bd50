/** A producer's life: takes webhooks in over HTTP and puts them into Redis, until it is told to stop. */
import {
  beginFleetWait,
  checkFormats,
  checkRedis,
  checkWrites,
  connectRedis,
  createAnswerInTime,
  createReplicaWait,
  createSecretBox,
  disconnectRedis,
  followShards,
  isRedisUnavailable,
  LaterVersionError,
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
  openKnownControls,
} from '@hookfleet/queue';
import { startKnownEventTypes } from '@hookfleet/intake';
import { createPriorityChanges } from '@hookfleet/operations';
import {
  createLifecycle,
  createLogger,
  createMetricsRegistry,
  describeConfig,
  listen,
  startApplication,
  VERSION,
} from '@hookfleet/runtime';
import { loadTracingConfig, startTracing, TRACING_VARIABLES } from '@hookfleet/tracing';
import { buildApp } from './app.ts';
import { loadProducerConfig, PRODUCER_VARIABLES } from './config.ts';
import { createProducerMetrics } from './metrics.ts';
import { traceEventsOut, traceWebhooksOut } from './trace-publishing.ts';

await startApplication('producer', async () => {
  const config = loadProducerConfig(process.env);
  const tracingConfig = loadTracingConfig(process.env);
  // The settings will do, and nothing is started.
  if (process.argv[2] === '--check') return;
  const logger = createLogger({ app: 'producer', level: config.logLevel });
  const lifecycle = createLifecycle({ logger, shutdownTimeoutMs: config.shutdownTimeoutMs });
  const settings = {
    ...describeConfig(PRODUCER_VARIABLES, config),
    ...(tracingConfig !== undefined && describeConfig(TRACING_VARIABLES, tracingConfig)),
  };
  logger.info({ config: settings, version: VERSION, node: process.version }, 'producer.starting');
  const tracing = await startTracing(tracingConfig, {
    app: 'producer',
    shutdownTimeoutMs: config.shutdownTimeoutMs,
    onProblem: (problem) => logger.warn({ problem }, 'tracing.failed'),
  });
  if (tracing !== undefined) lifecycle.onClose('tracing', () => tracing.stop());

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
  await checkFormats(connection, config.keyPrefix);
  const secrets = createSecretBox(config.encryptionKeys);

  const shards = await followShards({ connection, config, logger, lifecycle, onError });
  const shardOptions = { connection, prefix: config.keyPrefix, shards, onError };

  const knownControls = openKnownControls(shardOptions);
  const untilReplicated = createReplicaWait({ connection, replicas: config.waitReplicas, onError });
  lifecycle.onClose('replica wait', () => untilReplicated?.close());
  const webhooks = openWebhooksOut({
    ...shardOptions,
    bundleSize: config.bundleSize,
    idempotencyRetentionMs: config.idempotencyRetentionMs,
    untilReplicated,
    secrets,
    controls: knownControls,
    onError,
  });
  lifecycle.onClose('webhooks queue', () => webhooks.close());

  const deadLetters = openDeadLetters({ ...shardOptions, controls: knownControls });
  lifecycle.onClose('dead letters', () => deadLetters.close());

  const jobs = openCampaignJobs(shardOptions);
  lifecycle.onClose('campaign jobs', () => jobs.close());
  const priorityChanges = createPriorityChanges({
    jobs,
    onMoved: (campaignId, moved) => logger.info({ campaignId, jobs: moved }, 'campaign.reprioritized'),
    onError,
  });
  lifecycle.onClose('priority changes', () => priorityChanges.stop());
  const events = openEventsOut({ ...shardOptions, untilReplicated });
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
    answerInTime: createAnswerInTime(connection),
    beginWait: untilReplicated && beginFleetWait(untilReplicated, shardOptions),
    tracing,
    webhooks: tracing === undefined ? webhooks : traceWebhooksOut(webhooks, tracing),
    channels: openChannels({ ...shardOptions, secrets }),
    channelTests,
    circuits: openCircuits(shardOptions),
    controls: openCampaignControls(shardOptions),
    priorityChanges,
    fleetEvents: openFleetEvents(shardOptions),
    deadLetters,
    events: tracing === undefined ? events : traceEventsOut(events, tracing),
    eventTypes,
    knownEventTypes,
    references: openCampaignReferences({ ...shardOptions, untilReplicated }),
    metrics,
    requestsMax: config.requestsMax,
    bodyBytesHeldMax: config.bodyBytesHeldMax,
    // A channel of a later version is there for a process of that version: the caller may find one.
    isUnavailable: (error) => isRedisUnavailable(error) || error instanceof LaterVersionError,
    now: Date.now,
    ops: {
      registry,
      healthy: {},
      ready: {
        redis: () => checkWrites(shardOptions),
        lifecycle: () => (lifecycle.isDraining() ? 'draining' : undefined),
      },
    },
  });
  lifecycle.onClose('server', () => app.close());
  const url = await listen(app, config);
  logger.info({ url }, 'producer.started');
});

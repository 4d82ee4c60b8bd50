/** A producer's life: takes webhooks in over HTTP and puts them into Redis, until it is told to stop. */
import {
  checkRedis,
  connectRedis,
  createSecretBox,
  disconnectRedis,
  isRedisUnavailable,
  openCampaignControls,
  openChannels,
  openChannelTestsOut,
  openCircuits,
  openDeadLetters,
  openWebhooksOut,
} from '@hookfleet/queue';
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
import { createProducerMetrics } from './metrics.ts';

await startApplication('producer', async () => {
  const config = loadProducerConfig(process.env);
  const logger = createLogger({ app: 'producer', level: config.logLevel });
  const lifecycle = createLifecycle({ logger, shutdownTimeoutMs: config.shutdownTimeoutMs });
  logger.info(
    { config: describeConfig(PRODUCER_VARIABLES, config), node: process.version },
    'producer.starting',
  );

  const connection = connectRedis({
    url: config.redisUrl,
    name: 'hookfleet-producer',
    temper: 'failFast',
    onError: (error) => logger.error({ err: error }, 'redis.failed'),
  });
  lifecycle.onClose('redis', () => disconnectRedis(connection));
  await checkRedis(connection);
  const secrets = createSecretBox(config.encryptionKeys);

  const webhooks = openWebhooksOut({
    connection,
    prefix: config.keyPrefix,
    shards: config.shards,
    bundleSize: config.bundleSize,
    idempotencyRetentionMs: config.idempotencyRetentionMs,
    secrets,
  });
  lifecycle.onClose('webhooks queue', () => webhooks.close());

  const deadLetters = openDeadLetters({ connection, prefix: config.keyPrefix, shards: config.shards });
  lifecycle.onClose('dead letters', () => deadLetters.close());

  const channelTests = openChannelTestsOut({ connection, prefix: config.keyPrefix, shards: config.shards });
  lifecycle.onClose('channel tests', () => channelTests.close());

  const registry = createMetricsRegistry();
  const app = await buildApp({
    logger,
    apiKeys: config.apiKeys,
    webhooks,
    channels: openChannels({ connection, prefix: config.keyPrefix, secrets }),
    channelTests,
    circuits: openCircuits({ connection, prefix: config.keyPrefix }),
    controls: openCampaignControls({ connection, prefix: config.keyPrefix }),
    deadLetters,
    metrics: createProducerMetrics(registry),
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

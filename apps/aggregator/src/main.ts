/** An aggregator's life: counts results, answers questions about campaigns, until it is told to stop. */
import {
  checkRedis,
  connectRedis,
  consumeResults,
  createQueueMonitor,
  disconnectRedis,
  isRedisUnavailable,
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
import { createApplyResults } from './apply-results.ts';
import { AGGREGATOR_VARIABLES, loadAggregatorConfig } from './config.ts';
import { createAggregatorMetrics } from './metrics.ts';
import { createCampaignReader } from './read-campaigns.ts';

// Results jobs under way at once, per shard: enough to keep Redis busy, few enough that a crash repeats little.
const RESULTS_CONCURRENCY = 10;
const STUCK_AFTER_MS = 30_000;

await startApplication('aggregator', async () => {
  const config = loadAggregatorConfig(process.env);
  const logger = createLogger({ app: 'aggregator', level: config.logLevel });
  const lifecycle = createLifecycle({ logger, shutdownTimeoutMs: config.shutdownTimeoutMs });
  logger.info(
    { config: describeConfig(AGGREGATOR_VARIABLES, config), node: process.version },
    'aggregator.starting',
  );
  const onError = (error: Error, context: Record<string, unknown> = {}) =>
    logger.error({ err: error, ...context }, 'queue.failed');

  const connection = connectRedis({
    url: config.redisUrl,
    name: 'hookfleet-aggregator',
    temper: 'patient',
    onError,
  });
  lifecycle.onClose('redis', () => disconnectRedis(connection));
  await checkRedis(connection);
  // Questions are answered at once or not at all; counting waits for Redis as long as it takes.
  const reading = connectRedis({
    url: config.redisUrl,
    name: 'hookfleet-aggregator-api',
    temper: 'failFast',
    onError,
  });
  lifecycle.onClose('redis of the API', () => disconnectRedis(reading));
  const shardOptions = { connection, prefix: config.keyPrefix, shards: config.shards };

  const monitor = createQueueMonitor(shardOptions);
  lifecycle.onClose('monitor', () => monitor.close());
  const registry = createMetricsRegistry();
  const reader = createCampaignReader(reading, config.keyPrefix);
  const metrics = createAggregatorMetrics({
    registry,
    monitor,
    reader,
    campaignsMax: config.metricsCampaigns,
    onError,
  });
  lifecycle.onClose('metrics', () => metrics.close());

  const applyResults = createApplyResults({
    connection,
    prefix: config.keyPrefix,
    retention: {
      minute: config.retentionMinutesMs,
      hour: config.retentionHoursMs,
      day: config.retentionDaysMs,
      campaign: config.retentionCampaignsMs,
    },
    now: Date.now,
  });
  const consumer = consumeResults({
    ...shardOptions,
    concurrency: RESULTS_CONCURRENCY,
    lockDurationMs: config.lockDurationMs,
    stalledIntervalMs: config.stalledIntervalMs,
    async apply(results) {
      const applied = await applyResults(results);
      metrics.counted(applied);
      logger.debug(applied, 'results.applied');
    },
    onError,
  });
  lifecycle.onClose('consumer', () => consumer.stop());

  const app = await buildApp({
    logger,
    apiKeys: config.apiKeys,
    reader,
    isUnavailable: isRedisUnavailable,
    now: Date.now,
    ops: {
      registry,
      healthy: {
        async consumption() {
          const idleMs = Date.now() - consumer.lastProgressAt();
          if (idleMs < STUCK_AFTER_MS) return undefined;
          const waiting = await monitor.waitingResultsJobs().catch(() => 0);
          return waiting > 0
            ? `${waiting} results wait, and none was counted for ${Math.round(idleMs / 1000)} s`
            : undefined;
        },
      },
      ready: {
        redis: async () => ((await reading.ping()) === 'PONG' ? undefined : 'no PONG'),
        lifecycle: () => (lifecycle.isDraining() ? 'draining' : undefined),
      },
    },
  });
  lifecycle.onClose('server', () => app.close());
  const url = await listen(app, config);
  logger.info({ url }, 'aggregator.started');
});

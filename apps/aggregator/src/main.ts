/** An aggregator's life: counts results, answers questions about campaigns, until it is told to stop. */
import { type Results, RESULTS_QUEUE } from '@hookfleet/contract';
import {
  beginFleetWait,
  checkFormats,
  checkRedis,
  checkWrites,
  connectRedis,
  consumeResults,
  createHandOverWait,
  createListWorkers,
  createQueueMonitor,
  createReplicaWait,
  createSecretBox,
  disconnectRedis,
  followShards,
  isRedisUnavailable,
  LaterVersionError,
  openCampaignControls,
  openCampaignJobs,
  openCampaignLogs,
  openChannels,
  openCircuits,
  openDeadLetters,
  openFleetEvents,
  openKnownControls,
  openSessionStore,
  readWaiting,
  unreadShards,
} from '@hookfleet/queue';
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
import { createCampaignAudit } from './audit-campaign.ts';
import { createCampaignDirectory } from './campaign-directory.ts';
import { keysCounted } from './campaign-keys.ts';
import { createCampaignIndex } from './campaign-index.ts';
import { createCampaignRollUp, startRollingUp } from './campaign-roll-up.ts';
import { createCampaignRuns } from './campaign-runs.ts';
import { startCompletionWatch } from './completion-watch.ts';
import { AGGREGATOR_VARIABLES, loadAggregatorConfig } from './config.ts';
import { createConsumptionCheck } from './consumption-check.ts';
import { createCountEvents } from './count-events.ts';
import { createCountResults } from './count-results.ts';
import { createLoadDashboard } from './dashboard-files.ts';
import { createAggregatorMetrics } from './metrics.ts';
import { startQueueSampler } from './queue-sampler.ts';
import { createReadCampaignStatus } from './read-campaign-status.ts';
import { createCampaignReader } from './read-campaigns.ts';
import { createFleetReader } from './read-fleet.ts';
import { createSeriesReader } from './read-series.ts';
import { traceCounting } from './trace-counting.ts';

// Results jobs under way at once, per shard: enough to keep Redis busy, few enough that a crash repeats little.
const RESULTS_CONCURRENCY = 10;

await startApplication('aggregator', async () => {
  const config = loadAggregatorConfig(process.env);
  const tracingConfig = loadTracingConfig(process.env);
  // The settings will do, and nothing is started.
  if (process.argv[2] === '--check') return;
  const logger = createLogger({ app: 'aggregator', level: config.logLevel });
  const lifecycle = createLifecycle({ logger, shutdownTimeoutMs: config.shutdownTimeoutMs });
  const settings = {
    ...describeConfig(AGGREGATOR_VARIABLES, config),
    ...(tracingConfig !== undefined && describeConfig(TRACING_VARIABLES, tracingConfig)),
  };
  logger.info({ config: settings, version: VERSION, node: process.version }, 'aggregator.starting');
  const tracing = await startTracing(tracingConfig, {
    app: 'aggregator',
    shutdownTimeoutMs: config.shutdownTimeoutMs,
    onProblem: (problem) => logger.warn({ problem }, 'tracing.failed'),
  });
  if (tracing !== undefined) lifecycle.onClose('tracing', () => tracing.stop());
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
  await checkFormats(connection, config.keyPrefix);
  // Questions are answered at once or not at all; counting waits for Redis as long as it takes.
  const reading = connectRedis({
    url: config.redisUrl,
    name: 'hookfleet-aggregator-api',
    temper: 'failFast',
    onError,
  });
  lifecycle.onClose('redis of the API', () => disconnectRedis(reading));
  // Before it is connected it refuses every call: an aggregator that listens by then would answer 503.
  await checkRedis(reading);
  const shards = await followShards({ connection, config, logger, lifecycle, onError });
  const shardOptions = { connection, prefix: config.keyPrefix, shards };

  const seriesRetention = {
    minute: config.retentionMinutesMs,
    halfHour: config.retentionHoursMs,
    day: config.retentionDaysMs,
  };
  const reader = createCampaignReader(reading, config.keyPrefix);
  const series = createSeriesReader({
    connection: reading,
    prefix: config.keyPrefix,
    retention: seriesRetention,
    now: Date.now,
  });
  const registry = createMetricsRegistry();
  const rollUp = createCampaignRollUp({
    connection: reading,
    prefix: config.keyPrefix,
    campaignsMax: config.metricsCampaigns,
    retentionMs: config.retentionCampaignsMs,
    now: Date.now,
    onUnreadable: onError,
  });
  const rolling = startRollingUp({ rollUp: rollUp.rollUp, onError });
  lifecycle.onClose('roll-up', () => rolling.stop());
  const metrics = createAggregatorMetrics({ registry, campaigns: rollUp, onError, now: Date.now });
  const monitor = createQueueMonitor({ ...shardOptions, connection: reading });
  lifecycle.onClose('monitor', () => monitor.close());
  const sampler = startQueueSampler({
    monitor,
    reader,
    onSample(sample, waiting) {
      metrics.sampled(sample, waiting);
      for (const { node, evicts } of sample.redisMemory) if (evicts) logger.error({ node }, 'redis.evicts');
    },
    onUnaccounted: metrics.unaccounted,
    onError,
    now: Date.now,
  });
  lifecycle.onClose('sampler', () => sampler.stop());

  const counting = {
    connection,
    prefix: config.keyPrefix,
    retention: {
      series: seriesRetention,
      campaignMs: config.retentionCampaignsMs,
    },
    index: createCampaignIndex({
      connection,
      prefix: config.keyPrefix,
      retentionMs: config.retentionCampaignsMs,
      now: Date.now,
    }),
    onUnreadable: onError,
    now: Date.now,
  };
  const completions = startCompletionWatch({ close: reader.closeUnlessPending, onError });
  lifecycle.onClose('completions', () => completions.stop());
  const countResults = createCountResults({ ...counting, onNonePending: completions.noticed });
  const countEvents = createCountEvents({ ...counting, eventIdsMs: config.retentionEventIdsMs });
  const replicas = config.waitReplicas;
  const handOverWait = createHandOverWait({ connection, replicas, onError });
  lifecycle.onClose('hand-over wait', () => handOverWait?.close());
  async function countAll(results: Results): Promise<void> {
    const untilKept = handOverWait?.begin();
    // Events first: odd entries among the others set the job aside once these are counted.
    const countedEvents = await countEvents(results.events ?? []);
    const counted = await countResults(results);
    await untilKept?.(keysCounted(config.keyPrefix, results));
    metrics.counted(results, counted);
    logger.debug({ ...counted, ...countedEvents }, 'results.counted');
  }
  const consumer = consumeResults({
    ...shardOptions,
    concurrency: RESULTS_CONCURRENCY,
    lockDurationMs: config.lockDurationMs,
    stalledIntervalMs: config.stalledIntervalMs,
    handOverWait,
    apply: tracing === undefined ? countAll : traceCounting(countAll, tracing),
    onError,
  });
  lifecycle.onClose('consumer', () => consumer.stop());

  const own = { connection: reading, prefix: config.keyPrefix, onError };
  const deadLetters = openDeadLetters({
    ...shardOptions,
    connection: reading,
    controls: openKnownControls(own),
  });
  lifecycle.onClose('dead letters', () => deadLetters.close());
  const channels = openChannels({ ...own, secrets: createSecretBox(config.encryptionKeys) });
  const circuits = openCircuits(own);
  const jobs = openCampaignJobs({ ...shardOptions, connection: reading });
  lifecycle.onClose('campaign jobs', () => jobs.close());
  const priorityChanges = createPriorityChanges({
    jobs,
    onMoved: (campaignId, moved) => logger.info({ campaignId, jobs: moved }, 'campaign.reprioritized'),
    onError,
  });
  lifecycle.onClose('priority changes', () => priorityChanges.stop());
  const audit = createCampaignAudit({
    connection: reading,
    prefix: config.keyPrefix,
    runs: createCampaignRuns({
      connection: reading,
      prefix: config.keyPrefix,
      retentionMs: config.retentionCampaignsMs,
      now: Date.now,
    }),
    logs: openCampaignLogs({ ...shardOptions, connection: reading }),
    totals: reader.totals,
  });
  const controls = openCampaignControls(own);
  const changesWait = createReplicaWait({ connection: reading, replicas, onError });
  lifecycle.onClose('replica wait', () => changesWait?.close());
  const app = await buildApp({
    logger,
    apiKeys: config.apiKeys,
    beginWait: changesWait && beginFleetWait(changesWait, shardOptions),
    reader,
    readStatus: createReadCampaignStatus({ ...own, controls, circuits, now: Date.now }),
    series,
    directory: createCampaignDirectory({ ...own, retentionMs: config.retentionCampaignsMs, now: Date.now }),
    readFleet: createFleetReader({
      listWorkers: createListWorkers(own),
      channels,
      circuits,
      readWaiting: () => readWaiting(reading, config.keyPrefix),
      latestSample: sampler.latest,
    }),
    channels,
    circuits,
    controls,
    priorityChanges,
    fleetEvents: openFleetEvents(own),
    deadLetters,
    loadDashboard: createLoadDashboard((error) => logger.error({ err: error }, 'dashboard.failed')),
    onError,
    audit,
    // A channel of a later version is there for a process of that version: the caller may find one.
    isUnavailable: (error) => isRedisUnavailable(error) || error instanceof LaterVersionError,
    now: Date.now,
    sessions: openSessionStore(own),
    ops: {
      registry,
      healthy: {
        consumption: createConsumptionCheck({
          lastProgressAt: consumer.lastProgressAt,
          resultsWaitSinceMs: sampler.resultsWaitSinceMs,
          now: Date.now,
        }),
        shards: () =>
          unreadShards({
            ...shardOptions,
            readingSince: consumer.readingSince,
            waitingJobs: () => monitor.waitingJobs(RESULTS_QUEUE),
            now: Date.now,
          }),
      },
      ready: {
        redis: () => checkWrites({ ...shardOptions, connection: reading }),
        lifecycle: () => (lifecycle.isDraining() ? 'draining' : undefined),
      },
    },
  });
  lifecycle.onClose('server', () => app.close());
  const url = await listen(app, config);
  logger.info({ url }, 'aggregator.started');
});

/** A worker's life: takes bundles, attempts their webhooks, records the outcomes, until it is told to stop. */
import { hostname } from 'node:os';
import {
  CHANNEL_TEST_JOB,
  campaignOfLane,
  checkRedis,
  claimWebhooks,
  connectRedis,
  consumeWebhooks,
  createCampaignBacklog,
  createOutcomeRecorder,
  createQueueMonitor,
  createSecretBox,
  disconnectRedis,
  openBatches,
  openCampaignControls,
  openCampaignJobs,
  openChannels,
  openChannelTestsIn,
  openCircuits,
  openFleetEvents,
  openLanes,
  readBundleLog,
  shardPrefix,
  startKnownControls,
  startWorkerHeartbeat,
} from '@hookfleet/queue';
import {
  createLifecycle,
  createLogger,
  createMetricsRegistry,
  createOpsServer,
  describeConfig,
  listen,
  startApplication,
} from '@hookfleet/runtime';
import { createAttemptSlots } from './attempt-slots.ts';
import { createAttemptWebhook } from './attempt-webhook.ts';
import { createCallOff } from './call-off.ts';
import { circuitEvent } from './circuit-event.ts';
import { createBatchSender } from './batch-sender.ts';
import { createChannelCache } from './channel-cache.ts';
import { loadWorkerConfig, WORKER_VARIABLES } from './config.ts';
import { createConsumptionCheck } from './consumption-check.ts';
import { createDeliver } from './deliver.ts';
import { createEgressAgents } from './egress-agents.ts';
import { createEgressGuard } from './egress-guard.ts';
import { campaignLimits } from './lane-limits.ts';
import { createLaneScheduler } from './lane-scheduler.ts';
import { createWorkerMetrics } from './metrics.ts';
import { createOAuthTokens } from './oauth-tokens.ts';
import { createProcessBundle } from './process-bundle.ts';
import { createRequestWebhook } from './request-webhook.ts';
import { createTestChannel } from './test-channel.ts';

await startApplication('worker', async () => {
  const config = loadWorkerConfig(process.env);
  const logger = createLogger({ app: 'worker', level: config.logLevel });
  const lifecycle = createLifecycle({ logger, shutdownTimeoutMs: config.shutdownTimeoutMs });
  logger.info({ config: describeConfig(WORKER_VARIABLES, config), node: process.version }, 'worker.starting');
  const onError = (error: Error, context: Record<string, unknown> = {}) =>
    logger.error({ err: error, ...context }, 'queue.failed');

  const connection = connectRedis({
    url: config.redisUrl,
    name: 'hookfleet-worker',
    temper: 'patient',
    onError,
  });
  lifecycle.onClose('redis', () => disconnectRedis(connection));
  await checkRedis(connection);
  const secrets = createSecretBox(config.encryptionKeys);
  const shardOptions = { connection, prefix: config.keyPrefix, shards: config.shards };

  const agents = createEgressAgents({
    guard: createEgressGuard(config.egressAllow),
    connectionsPerDestinationMax: config.concurrency,
    proxies: config,
  });
  lifecycle.onClose('connections to destinations', () => agents.destroy());

  const registry = createMetricsRegistry();
  const slots = createAttemptSlots(config.concurrency);
  const metrics = createWorkerMetrics(registry, slots.inFlight, config.concurrency);
  const storedChannels = openChannels({ connection, prefix: config.keyPrefix, secrets });
  const channels = createChannelCache(storedChannels);
  const lanes = openLanes({
    ...shardOptions,
    retentionMs: config.deadLetterRetentionMs,
    // A job lives as long as its slowest attempt, and may be run again after a worker's death.
    leaseMs: 2 * (config.lockDurationMs + config.attemptTimeoutMs + config.stalledIntervalMs),
  });
  lifecycle.onClose('lanes', () => lanes.close());
  const jobs = openCampaignJobs(shardOptions);
  lifecycle.onClose('campaign jobs', () => jobs.close());
  const callOff = createCallOff({ jobs, lanes, onError });
  lifecycle.onClose('campaigns called off', () => callOff.stop());
  const controls = await startKnownControls({
    store: openCampaignControls({ connection, prefix: config.keyPrefix }),
    onCalledOff: callOff.calledOff,
    onError,
    now: Date.now,
  });
  lifecycle.onClose('campaign controls', () => controls.stop());
  const backlog = createCampaignBacklog({
    ...shardOptions,
    priorityOf: (campaignId) => controls.of(campaignId).priority ?? 'normal',
    onError,
  });
  lifecycle.onClose('backlog', () => backlog.close());
  const recorder = createOutcomeRecorder({
    ...shardOptions,
    backlog,
    retention: { attemptsMs: config.attemptRetentionMs, deadLettersMs: config.deadLetterRetentionMs },
    onError,
  });
  lifecycle.onClose('recorder', () => recorder.close());
  const fleetEvents = openFleetEvents({ connection, prefix: config.keyPrefix });
  const scheduler = createLaneScheduler({
    lanes,
    circuits: openCircuits({ connection, prefix: config.keyPrefix }),
    slots,
    limitsOf(lane) {
      const campaignId = campaignOfLane(lane);
      return campaignId === undefined
        ? channels.limitsOf(lane)
        : Promise.resolve(campaignLimits(controls.of(campaignId)));
    },
    onCircuitChanged(lane, state, why) {
      metrics.circuitChanged(state);
      logger.warn({ lane, state, why }, 'circuit.changed');
      fleetEvents
        .add(circuitEvent(lane, state, why, Date.now()))
        .catch((error: Error) => onError(error, { doing: 'tell of a circuit' }));
    },
    onError,
    now: Date.now,
  });
  lifecycle.onClose('lane scheduler', () => scheduler.stop());
  const batches = openBatches({
    ...shardOptions,
    retentionMs: config.deadLetterRetentionMs,
    leaseMs: config.lockDurationMs,
  });
  lifecycle.onClose('batches', () => batches.close());
  const batchSender = createBatchSender({ batches, isCancelled: controls.isCancelled, onError });
  lifecycle.onClose('batch sender', () => batchSender.stop());
  const workerId = `${hostname()}:${process.pid}`;
  const heartbeat = startWorkerHeartbeat({
    connection,
    prefix: config.keyPrefix,
    workerId,
    concurrency: config.concurrency,
    inFlight: slots.inFlight,
    onError,
  });
  lifecycle.onClose('heartbeat', () => heartbeat.stop());
  const deliver = createDeliver(agents);
  const request = createRequestWebhook({
    deliver,
    tokens: createOAuthTokens(deliver, Date.now),
    attemptTimeoutMs: config.attemptTimeoutMs,
    now: Date.now,
  });
  const testChannel = createTestChannel({
    tests: openChannelTestsIn({ connection, prefix: config.keyPrefix }),
    channels: storedChannels,
    request,
    workerId,
    now: Date.now,
  });
  const processBundle = createProcessBundle({
    slots,
    channels,
    attempt: createAttemptWebhook({ request, workerId, now: Date.now, random: Math.random }),
    recorder,
    controls,
    lanes,
    scheduler,
    batches,
    batchSender,
    backlog,
    secrets,
    readLog: ({ shard, jobId }, bundle) => {
      const shardTag = shardPrefix(config.keyPrefix, shard);
      return bundle.claim
        ? claimWebhooks(connection, shardTag, bundle, bundle.claimedBy ?? jobId, config.attemptRetentionMs)
        : readBundleLog(connection, shardTag, bundle);
    },
    onRecorded(outcome, bundle) {
      metrics.recorded(outcome, bundle);
      heartbeat.recorded();
      const { responseBody: _responseBody, workerId: _workerId, members: _members, ...facts } = outcome;
      logger[outcome.event === 'webhook.delivered' ? 'debug' : 'info'](facts, 'attempt.recorded');
    },
    onCancelled({ campaignId }, webhooks) {
      logger.info({ campaignId, webhooks }, 'webhooks.cancelled');
    },
  });

  const consumer = consumeWebhooks({
    ...shardOptions,
    webhooksMax: config.concurrency,
    lockDurationMs: config.lockDurationMs,
    stalledIntervalMs: config.stalledIntervalMs,
    process: (run) => (run.name === CHANNEL_TEST_JOB ? testChannel(run) : processBundle(run)),
    onDrained: backlog.drained,
    onError,
  });
  lifecycle.onClose('consumer', () => consumer.stop());

  const monitor = createQueueMonitor(shardOptions);
  lifecycle.onClose('monitor', () => monitor.close());
  const server = createOpsServer({
    registry,
    healthy: {
      consumption: createConsumptionCheck({
        lastProgressAt: consumer.lastProgressAt,
        inFlight: slots.inFlight,
        concurrency: config.concurrency,
        waitingJobs: () => monitor.waitingWebhookJobs(),
        now: Date.now,
      }),
    },
    ready: {
      redis: async () => ((await connection.ping()) === 'PONG' ? undefined : 'no PONG'),
      lifecycle: () => (lifecycle.isDraining() ? 'draining' : undefined),
    },
  });
  lifecycle.onClose('server', () => server.close());
  const url = await listen(server, config);
  logger.info({ url }, 'worker.started');
});

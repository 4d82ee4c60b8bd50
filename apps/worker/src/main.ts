/** A worker's life: takes bundles, attempts their webhooks, records the outcomes, until it is told to stop. */
import { hostname } from 'node:os';
import { causeView, traceFields, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import {
  bodyBytesMax,
  checkFormats,
  checkRedis,
  checkWrites,
  connectRedis,
  createQueueMonitor,
  createSecretBox,
  disconnectRedis,
  followShards,
  startWorkerHeartbeat,
  unreadShards,
} from '@hookfleet/queue';
import {
  createLifecycle,
  createLogger,
  createMetricsRegistry,
  createOpsServer,
  describeConfig,
  listen,
  startApplication,
  VERSION,
} from '@hookfleet/runtime';
import { loadTracingConfig, startTracing, TRACING_VARIABLES } from '@hookfleet/tracing';
import { createAttemptSlots } from './attempt-slots.ts';
import { startAttentionClock } from './attention-clock.ts';
import { checkEgress } from './check-egress.ts';
import { loadWorkerConfig, WORKER_VARIABLES } from './config.ts';
import { createConsumptionCheck } from './consumption-check.ts';
import { createWorkerMetrics } from './metrics.ts';
import { startDelivering } from './start-delivering.ts';

await startApplication('worker', async () => {
  const config = loadWorkerConfig(process.env);
  const tracingConfig = loadTracingConfig(process.env);
  // The settings will do. With URLs after it: whether webhooks may be sent there. Nothing is started.
  if (process.argv[2] === '--check') {
    for (const url of process.argv.slice(3))
      process.stdout.write(`${JSON.stringify(await checkEgress(url, config))}\n`);
    return;
  }
  const logger = createLogger({ app: 'worker', level: config.logLevel });
  const lifecycle = createLifecycle({ logger, shutdownTimeoutMs: config.shutdownTimeoutMs });
  const settings = {
    ...describeConfig(WORKER_VARIABLES, config),
    ...(tracingConfig !== undefined && describeConfig(TRACING_VARIABLES, tracingConfig)),
  };
  logger.info({ config: settings, version: VERSION, node: process.version }, 'worker.starting');
  const tracing = await startTracing(tracingConfig, {
    app: 'worker',
    shutdownTimeoutMs: config.shutdownTimeoutMs,
    onProblem: (problem) => logger.warn({ problem }, 'tracing.failed'),
  });
  if (tracing !== undefined) lifecycle.onClose('tracing', () => tracing.stop());
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
  await checkFormats(connection, config.keyPrefix);
  const shards = await followShards({ connection, config, logger, lifecycle, onError });
  const shardOptions = { connection, prefix: config.keyPrefix, shards };

  const registry = createMetricsRegistry();
  const attention = startAttentionClock();
  lifecycle.onClose('attention clock', () => attention.stop());
  const slots = createAttemptSlots({
    slotsMax: config.concurrency,
    bytesMax: bodyBytesMax(),
    now: attention.now,
  });
  const metrics = createWorkerMetrics(registry, slots.inFlight, config.concurrency);
  const workerId = `${hostname()}:${process.pid}`;
  const heartbeat = startWorkerHeartbeat({
    connection,
    prefix: config.keyPrefix,
    workerId,
    concurrency: config.concurrency,
    egress: {
      allow: config.egressAllow,
      proxied: [
        ...(config.httpProxy === undefined ? [] : ['http' as const]),
        ...(config.httpsProxy === undefined ? [] : ['https' as const]),
      ],
      noProxy: config.noProxy,
    },
    inFlight: slots.inFlight,
    onClockWrong: (aheadMs) => logger.error({ aheadMs }, 'clock.wrong'),
    onError,
  });
  metrics.tellClock(heartbeat.clockAheadMs);
  lifecycle.onClose('heartbeat', () => heartbeat.stop());
  const consumer = await startDelivering({
    ...shardOptions,
    config,
    workerId,
    secrets: createSecretBox(config.encryptionKeys),
    slots,
    tracing,
    onRecorded(outcome, bundle, trace, cause) {
      metrics.recorded(outcome, bundle);
      heartbeat.recorded();
      const { responseBody: _responseBody, workerId: _workerId, members: _members, ...facts } = outcome;
      const level = outcome.event === 'webhook.delivered' ? 'debug' : 'info';
      const why = cause === undefined ? undefined : causeView(cause);
      logger[level]({ ...facts, ...why, ...traceFields(trace) }, 'attempt.recorded');
    },
    onCancelled({ campaignId }, webhooks) {
      logger.info({ campaignId, webhooks }, 'webhooks.cancelled');
    },
    onCircuitChanged(lane, state, why) {
      metrics.circuitChanged(state);
      logger.warn({ lane, state, why }, 'circuit.changed');
    },
    onError,
    onClose: lifecycle.onClose,
  });

  const monitor = createQueueMonitor(shardOptions);
  lifecycle.onClose('monitor', () => monitor.close());
  const waitingJobs = () => monitor.waitingJobs(WEBHOOKS_QUEUE);
  const server = createOpsServer({
    registry,
    healthy: {
      consumption: createConsumptionCheck({
        lastProgressAt: consumer.lastProgressAt,
        inFlight: slots.inFlight,
        concurrency: config.concurrency,
        waitingJobs: async () => (await waitingJobs()).reduce((sum, jobs) => sum + jobs, 0),
        now: Date.now,
      }),
      shards: () =>
        unreadShards({ ...shardOptions, readingSince: consumer.readingSince, waitingJobs, now: Date.now }),
    },
    ready: {
      redis: () => checkWrites(shardOptions),
      lifecycle: () => (lifecycle.isDraining() ? 'draining' : undefined),
    },
  });
  lifecycle.onClose('server', () => server.close());
  const url = await listen(server, config);
  logger.info({ url }, 'worker.started');
});

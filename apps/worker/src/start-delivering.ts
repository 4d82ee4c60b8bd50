/**
 * All that turns bundles into outcomes, put together: the ways out, limits and lanes, batches, campaigns' controls, and
 * the loop that takes bundles. main.ts gives it a connection, its configuration and ears; so does a test.
 */
import {
  CHANNEL_TEST_JOB,
  campaignOfLane,
  claimWebhooks,
  consumeWebhooks,
  createCampaignBacklog,
  createOutcomeRecorder,
  openBatches,
  openCampaignControls,
  openCampaignJobs,
  openChannels,
  openChannelTestsIn,
  openCircuits,
  openFleetEvents,
  openLanes,
  readBundleLog,
  type SecretBox,
  type ShardOptions,
  shardPrefix,
  startKnownControls,
  type WebhooksConsumer,
} from '@hookfleet/queue';
import type { Tracing } from '@hookfleet/tracing';
import { type AttemptSlots, webhooksInHandMax } from './attempt-slots.ts';
import { createAttemptWebhook } from './attempt-webhook.ts';
import { createBatchSender } from './batch-sender.ts';
import { createCallOff } from './call-off.ts';
import { createChannelCache } from './channel-cache.ts';
import { circuitEvent } from './circuit-event.ts';
import type { WorkerConfig } from './config.ts';
import { createEgressGuard } from './egress-guard.ts';
import { campaignLimits } from './lane-limits.ts';
import { createLaneScheduler, type LaneSchedulerOptions } from './lane-scheduler.ts';
import { createOAuthTokens } from './oauth-tokens.ts';
import { openHttpClient } from './open-http-client.ts';
import { createProcessBundle, type ProcessBundleOptions } from './process-bundle.ts';
import { createRequestWebhook } from './request-webhook.ts';
import { createTestChannel } from './test-channel.ts';
import { traceAttempts } from './trace-attempts.ts';

export interface DeliveringOptions extends ShardOptions {
  readonly config: Pick<
    WorkerConfig,
    | 'attemptRetentionMs'
    | 'attemptTimeoutMs'
    | 'concurrency'
    | 'deadLetterRetentionMs'
    | 'egressAllow'
    | 'httpClient'
    | 'httpProxy'
    | 'httpsProxy'
    | 'lockDurationMs'
    | 'noProxy'
    | 'stalledIntervalMs'
  >;
  readonly workerId: string;
  readonly secrets: SecretBox;
  readonly slots: AttemptSlots;
  readonly tracing?: Tracing | undefined;
  readonly onRecorded: ProcessBundleOptions['onRecorded'];
  readonly onCancelled: ProcessBundleOptions['onCancelled'];
  readonly onCircuitChanged: LaneSchedulerOptions['onCircuitChanged'];
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
  /** Called each time the worker has read all circuits and controls. */
  readonly onLooked?: (() => void) | undefined;
  /** How often the worker reads circuits and controls, and looks for due lanes and batches. Default: every second. */
  readonly lookEveryMs?: number | undefined;
  /** The clock of circuits. */
  readonly circuitClock?: (() => number) | undefined;
  /** Takes the closer of what was just opened; they are to be called in the reverse order. */
  readonly onClose: (name: string, close: () => unknown) => void;
}

export async function startDelivering(options: DeliveringOptions): Promise<WebhooksConsumer> {
  const { connection, prefix, shards, config, workerId, secrets, slots, tracing, onError, onClose } = options;
  const shardOptions = { connection, prefix, shards, onError };
  const { attemptTimeoutMs, lockDurationMs, stalledIntervalMs } = config;
  const { lookEveryMs, circuitClock = Date.now } = options;

  const { deliver, close } = await openHttpClient(config.httpClient, {
    guard: createEgressGuard(config.egressAllow),
    connectionsPerDestinationMax: config.concurrency,
    proxies: config,
  });
  onClose('connections to destinations', close);
  const storedChannels = openChannels({ ...shardOptions, secrets });
  const channels = createChannelCache(storedChannels);

  const lanes = openLanes({
    ...shardOptions,
    retentionMs: config.deadLetterRetentionMs,
    // A job lives as long as its slowest attempt, and may be run again after a worker's death.
    leaseMs: 2 * (lockDurationMs + attemptTimeoutMs + stalledIntervalMs),
  });
  onClose('lanes', () => lanes.close());
  const jobs = openCampaignJobs(shardOptions);
  onClose('campaign jobs', () => jobs.close());
  const callOff = createCallOff({ jobs, lanes, onError });
  onClose('campaigns called off', () => callOff.stop());
  const controls = await startKnownControls({
    store: openCampaignControls(shardOptions),
    onCalledOff: callOff.calledOff,
    onError,
    now: Date.now,
    refreshEveryMs: lookEveryMs,
  });
  onClose('campaign controls', () => controls.stop());

  const backlog = createCampaignBacklog({
    ...shardOptions,
    priorityOf: (campaignId) => controls.of(campaignId).priority ?? 'normal',
    onError,
  });
  onClose('backlog', () => backlog.close());
  const recorder = createOutcomeRecorder({
    ...shardOptions,
    backlog,
    retention: { attemptsMs: config.attemptRetentionMs, deadLettersMs: config.deadLetterRetentionMs },
    onError,
  });
  onClose('recorder', () => recorder.close());

  const fleetEvents = openFleetEvents(shardOptions);
  const scheduler = createLaneScheduler({
    lanes,
    circuits: openCircuits(shardOptions),
    slots,
    limitsOf(lane) {
      const campaignId = campaignOfLane(lane);
      return campaignId === undefined
        ? channels.limitsOf(lane)
        : Promise.resolve(campaignLimits(controls.of(campaignId)));
    },
    refreshControls: controls.refresh,
    onCircuitChanged(lane, state, why) {
      options.onCircuitChanged(lane, state, why);
      fleetEvents
        .add(circuitEvent(lane, state, why, Date.now()))
        .catch((error: Error) => onError(error, { doing: 'tell of a circuit' }));
    },
    onError,
    onLooked: options.onLooked,
    now: circuitClock,
    lookEveryMs,
  });
  onClose('lane scheduler', () => scheduler.stop());
  const batches = openBatches({
    ...shardOptions,
    retentionMs: config.deadLetterRetentionMs,
    leaseMs: lockDurationMs,
  });
  onClose('batches', () => batches.close());
  const batchSender = createBatchSender({ batches, isCancelled: controls.isCancelled, onError, lookEveryMs });
  onClose('batch sender', () => batchSender.stop());

  const request = createRequestWebhook({
    deliver,
    tokens: createOAuthTokens(deliver, Date.now),
    attemptTimeoutMs,
    now: Date.now,
  });
  const testChannel = createTestChannel({
    tests: openChannelTestsIn(shardOptions),
    channels: storedChannels,
    request,
    workerId,
    now: Date.now,
  });
  const attempt = createAttemptWebhook({ request, workerId, now: Date.now, random: Math.random });
  const processBundle = createProcessBundle({
    slots,
    channels,
    attempt: tracing === undefined ? attempt : traceAttempts(attempt, tracing),
    recorder,
    controls,
    lanes,
    scheduler,
    batches,
    batchSender,
    backlog,
    secrets,
    readLog({ shard, jobId }, bundle) {
      const shardTag = shardPrefix(prefix, shard);
      return bundle.claim
        ? claimWebhooks(connection, shardTag, bundle, bundle.claimedBy ?? jobId, config.attemptRetentionMs)
        : readBundleLog(connection, shardTag, bundle);
    },
    onRecorded: options.onRecorded,
    onCancelled: options.onCancelled,
  });

  const consumer = consumeWebhooks({
    ...shardOptions,
    webhooksMax: webhooksInHandMax(config.concurrency),
    lockDurationMs,
    stalledIntervalMs,
    process: (run) => (run.name === CHANNEL_TEST_JOB ? testChannel(run) : processBundle(run)),
    onDrained: backlog.drained,
    onError,
  });
  onClose('consumer', () => consumer.stop());
  return consumer;
}

/**
 * All that turns bundles into outcomes, put together: the ways out, limits and lanes, batches, campaigns' controls, and
 * the loop that takes bundles. main.ts gives it a connection, its configuration and ears; so does a test.
 */
import {
  CHANNEL_TEST_JOB,
  campaignLane,
  campaignOfLane,
  claimWebhooks,
  consumeWebhooks,
  createCampaignBacklog,
  createHandOverWait,
  createOutcomeRecorder,
  createTellOnce,
  openBatches,
  openCampaignJobs,
  openChannels,
  openChannelTestsIn,
  openCircuits,
  openFleetEvents,
  openKnownControls,
  drainFormerLanes,
  openLanes,
  readBundleLog,
  type SecretBox,
  type ShardOptions,
  shardPrefix,
  type WebhooksConsumer,
} from '@hookfleet/queue';
import type { Tracing } from '@hookfleet/tracing';
import { type AttemptSlots, webhooksInHandMax } from './attempt-slots.ts';
import { createAttemptWebhook } from './attempt-webhook.ts';
import { type BatchSender, createBatchSender } from './batch-sender.ts';
import { createChannelCache } from './channel-cache.ts';
import { circuitEvent } from './circuit-event.ts';
import type { WorkerConfig } from './config.ts';
import { createEgressGuard } from './egress-guard.ts';
import { isCancelledNow } from './is-cancelled-now.ts';
import { campaignLimits } from './lane-limits.ts';
import { createGiveUp } from './give-up.ts';
import { createInHand } from './in-hand.ts';
import { createLaneScheduler, type LaneSchedulerOptions } from './lane-scheduler.ts';
import { createOAuthTokens } from './oauth-tokens.ts';
import { openHttpClient } from './open-http-client.ts';
import { createPermits } from './permits.ts';
import { createProcessBundle, type ProcessBundleOptions } from './process-bundle.ts';
import { createRequestWebhook } from './request-webhook.ts';
import { createSendWebhooks, type SendWebhooksOptions } from './send-webhooks.ts';
import { createTestChannel } from './test-channel.ts';
import { startSweepingCampaigns } from './sweep-campaigns.ts';
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
    | 'waitReplicas'
  >;
  readonly workerId: string;
  readonly secrets: SecretBox;
  readonly slots: AttemptSlots;
  readonly tracing?: Tracing | undefined;
  readonly onRecorded: SendWebhooksOptions['onRecorded'];
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

// An attempt's permit outlives the attempt by the time that its record may take.
const PERMIT_RESERVE_MS = 30_000;

export async function startDelivering(options: DeliveringOptions): Promise<WebhooksConsumer> {
  const { connection, prefix, shards, config, workerId, secrets, slots, tracing, onError, onClose } = options;
  const shardOptions = { connection, prefix, shards, onError };
  const { attemptTimeoutMs, lockDurationMs, stalledIntervalMs } = config;
  const { lookEveryMs } = options;

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
    workerId,
    // A second attempt's worth for what comes before and after it.
    permitMs: 2 * attemptTimeoutMs + PERMIT_RESERVE_MS,
  });
  onClose('lanes', () => lanes.close());
  const jobs = openCampaignJobs(shardOptions);
  onClose('campaign jobs', () => jobs.close());
  const inHand = createInHand();
  let batchSender: BatchSender | undefined;
  const controls = openKnownControls({
    ...shardOptions,
    onChanged(lane) {
      channels.changed(lane);
      inHand.changed(lane);
      batchSender?.changed(lane);
    },
  });
  // The clock that all processes share: a worker whose own is wrong makes no attempt early or late.
  const now = () => Math.round(controls.now());
  const { circuitClock = now } = options;

  const backlog = createCampaignBacklog({
    ...shardOptions,
    priorityOf: (campaignId) => controls.of(campaignId).priority ?? 'normal',
    onError,
  });
  onClose('backlog', () => backlog.close());
  const recorder = createOutcomeRecorder({
    ...shardOptions,
    backlog,
    controls,
    retention: { attemptsMs: config.attemptRetentionMs, deadLettersMs: config.deadLetterRetentionMs },
    onError,
  });
  onClose('recorder', () => recorder.close());

  const fleetEvents = openFleetEvents(shardOptions);
  let consumer: WebhooksConsumer | undefined;
  const scheduler = createLaneScheduler({
    lanes,
    circuits: openCircuits(shardOptions),
    controls,
    slots,
    roomInHand: () => 2 * config.concurrency - (consumer?.inHand() ?? 0),
    limitsOf(lane) {
      const campaignId = campaignOfLane(lane);
      return campaignId === undefined
        ? channels.limitsOf(lane)
        : Promise.resolve(campaignLimits(controls.of(campaignId)));
    },
    onCircuitChanged(lane, state, why) {
      options.onCircuitChanged(lane, state, why);
      fleetEvents
        .add(circuitEvent(lane, state, why, now()))
        .catch((error: Error) => onError(error, { doing: 'tell of a circuit' }));
    },
    onError,
    onLooked: options.onLooked,
    now: circuitClock,
    lookEveryMs,
  });
  onClose('lane scheduler', () => scheduler.stop());
  const handOverWait = createHandOverWait({
    connection,
    replicas: config.waitReplicas,
    onError: (error) => onError(error, { doing: 'wait for replicas' }),
  });
  onClose('hand-over wait', () => handOverWait?.close());
  const batches = openBatches({
    ...shardOptions,
    retentionMs: config.deadLetterRetentionMs,
    leaseMs: lockDurationMs,
    handOverWait,
    onUnreadable: onError,
    async settingsOf(head) {
      await controls.untilFresh();
      const isCancelled = await isCancelledNow(controls, head);
      // Its channel may be unreadable, and they must be cancelled all the same.
      const batching = isCancelled ? undefined : await channels.batchingOf(head.channelConfigId);
      return { batching, isCancelled, controlsVersion: controls.version() };
    },
  });
  onClose('batches', () => batches.close());
  const sender = createBatchSender({ batches, onError, lookEveryMs });
  batchSender = sender;
  onClose('batch sender', () => sender.stop());
  const sweeping = startSweepingCampaigns({
    jobs,
    onSwept: (campaignId) => sender.changed(campaignLane(campaignId)),
    onError,
    lookEveryMs,
  });
  onClose('sweeps of campaigns', () => sweeping.stop());

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
  const attempt = createAttemptWebhook({ request, workerId, now, random: Math.random });
  const send = createSendWebhooks({
    slots,
    attempt: tracing === undefined ? attempt : traceAttempts(attempt, tracing),
    recorder,
    controls,
    lanes,
    permits: createPermits({
      lanes,
      onWanted(lane) {
        scheduler.waits(lane);
        scheduler.maybeGoesOn(lane);
      },
      onError,
    }),
    scheduler,
    onRecorded: options.onRecorded,
  });
  const tellOfAttempt = createTellOnce('an attempt in a log', onError);
  const processBundle = createProcessBundle({
    channels,
    send,
    inHand,
    recorder,
    controls,
    lanes,
    scheduler,
    random: Math.random,
    batches,
    batchSender: sender,
    backlog,
    secrets,
    async readLog({ shard, jobId }, bundle) {
      const shardTag = shardPrefix(prefix, shard);
      const log = bundle.claim
        ? await claimWebhooks(
            connection,
            shardTag,
            bundle,
            bundle.claimedBy ?? jobId,
            config.attemptRetentionMs,
          )
        : await readBundleLog(connection, shardTag, bundle);
      const { campaignId, run, first } = bundle;
      for (const field of log.unreadable) tellOfAttempt(`${run}:${first} ${field}`, { campaignId });
      return log;
    },
    onCancelled: options.onCancelled,
    giveUp: createGiveUp({ recorder, workerId, onRecorded: options.onRecorded, now }),
  });

  const taking = consumeWebhooks({
    ...shardOptions,
    webhooksMax: webhooksInHandMax(config.concurrency),
    lockDurationMs,
    stalledIntervalMs,
    process: (run) => (run.name === CHANNEL_TEST_JOB ? testChannel(run) : processBundle(run)),
    onDrained: backlog.drained,
    onError,
  });
  consumer = taking;
  onClose('consumer', () => taking.stop());
  await drainFormerLanes(shardOptions);
  return taking;
}

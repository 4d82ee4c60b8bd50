/** A worker in this process, on a Redis of its own, and what it needs to be fed. */
import {
  CHANNEL_TEST_JOB,
  campaignOfLane,
  createCampaignBacklog,
  createOutcomeRecorder,
  createSecretBox,
  claimWebhooks,
  connectRedis,
  consumeWebhooks,
  disconnectRedis,
  openBatches,
  openCampaignControls,
  openCampaignJobs,
  openChannels,
  openChannelTestsIn,
  openCircuits,
  openLanes,
  openWebhooksOut,
  readBundleLog,
  type RedisConnection,
  shardPrefix,
  startKnownControls,
} from '@hookfleet/queue';
import type { Outcome } from '@hookfleet/contract';
import { createAttemptSlots } from '../src/attempt-slots.ts';
import { createAttemptWebhook } from '../src/attempt-webhook.ts';
import { createCallOff } from '../src/call-off.ts';
import { createBatchSender } from '../src/batch-sender.ts';
import { createChannelCache } from '../src/channel-cache.ts';
import { createDeliver } from '../src/deliver.ts';
import { createEgressAgents } from '../src/egress-agents.ts';
import { createEgressGuard } from '../src/egress-guard.ts';
import { campaignLimits } from '../src/lane-limits.ts';
import { createLaneScheduler } from '../src/lane-scheduler.ts';
import { createOAuthTokens } from '../src/oauth-tokens.ts';
import { createProcessBundle } from '../src/process-bundle.ts';
import type { ProxySettings } from '../src/proxy-settings.ts';
import { createRequestWebhook } from '../src/request-webhook.ts';
import { createTestChannel } from '../src/test-channel.ts';

export interface WorkerUnderTest {
  readonly outcomes: readonly Outcome[];
  readonly errors: readonly Error[];
  /** As "lane state why". */
  readonly circuitChanges: readonly string[];
  stop(): Promise<void>;
}

export interface WorkerOptions {
  readonly concurrency?: number;
  readonly allow?: readonly string[];
  readonly prefix?: string;
  readonly shards?: number;
  readonly encryptionKeys?: readonly string[];
  readonly proxies?: Partial<ProxySettings>;
}

export function connect(url: string, temper: 'patient' | 'failFast' = 'patient'): RedisConnection {
  return connectRedis({ url, name: 'test', temper, onError: () => undefined });
}

export async function startWorker(
  url: string,
  {
    concurrency = 50,
    allow = ['127.0.0.0/8'],
    prefix = 'test',
    shards = 1,
    encryptionKeys = [],
    proxies = {},
  }: WorkerOptions = {},
): Promise<WorkerUnderTest> {
  const connection = connect(url);
  const shardOptions = { connection, prefix, shards };
  const outcomes: Outcome[] = [];
  const errors: Error[] = [];
  const onError = (error: Error) => void errors.push(error);
  const agents = createEgressAgents({
    guard: createEgressGuard(allow),
    connectionsPerDestinationMax: concurrency,
    proxies: { httpsProxy: undefined, httpProxy: undefined, noProxy: [], ...proxies },
  });
  const secrets = createSecretBox(encryptionKeys);
  const slots = createAttemptSlots(concurrency);
  const storedChannels = openChannels({ connection, prefix, secrets });
  const channels = createChannelCache(storedChannels);
  const lanes = openLanes({ ...shardOptions, retentionMs: 7_200_000, leaseMs: 20_000 });
  const circuitChanges: string[] = [];
  const jobs = openCampaignJobs(shardOptions);
  const callOff = createCallOff({ jobs, lanes, onError });
  const controls = await startKnownControls({
    store: openCampaignControls({ connection, prefix }),
    onCalledOff: callOff.calledOff,
    onError,
    now: Date.now,
  });
  const backlog = createCampaignBacklog({
    ...shardOptions,
    priorityOf: (campaignId) => controls.of(campaignId).priority ?? 'normal',
    onError,
  });
  const recorder = createOutcomeRecorder({
    ...shardOptions,
    backlog,
    retention: { attemptsMs: 3_600_000, deadLettersMs: 7_200_000 },
    onError,
  });
  const scheduler = createLaneScheduler({
    lanes,
    circuits: openCircuits({ connection, prefix }),
    slots,
    async limitsOf(lane) {
      const campaignId = campaignOfLane(lane);
      return campaignId === undefined ? channels.limitsOf(lane) : campaignLimits(controls.of(campaignId));
    },
    onCircuitChanged: (lane, state, why) => void circuitChanges.push(`${lane} ${state} ${why}`),
    onError,
    now: Date.now,
  });
  const batches = openBatches({ ...shardOptions, retentionMs: 7_200_000, leaseMs: 20_000 });
  const batchSender = createBatchSender({ batches, isCancelled: controls.isCancelled, onError });
  const deliver = createDeliver(agents);
  const request = createRequestWebhook({
    deliver,
    tokens: createOAuthTokens(deliver, Date.now),
    attemptTimeoutMs: 1_000,
    now: Date.now,
  });
  const testChannel = createTestChannel({
    tests: openChannelTestsIn({ connection, prefix }),
    channels: storedChannels,
    request,
    workerId: 'test',
    now: Date.now,
  });
  const processBundle = createProcessBundle({
    slots,
    channels,
    controls,
    lanes,
    scheduler,
    batches,
    batchSender,
    backlog,
    secrets,
    attempt: createAttemptWebhook({ request, workerId: 'test', now: Date.now, random: Math.random }),
    recorder,
    readLog: ({ shard, jobId }, bundle) =>
      bundle.claim
        ? claimWebhooks(connection, shardPrefix(prefix, shard), bundle, bundle.claimedBy ?? jobId, 3_600_000)
        : readBundleLog(connection, shardPrefix(prefix, shard), bundle),
    onRecorded: (outcome) => void outcomes.push(outcome),
    onCancelled: () => undefined,
  });
  const consumer = consumeWebhooks({
    ...shardOptions,
    webhooksMax: concurrency,
    lockDurationMs: 2_000,
    stalledIntervalMs: 500,
    onDrained: backlog.drained,
    onError,
    process: (run) => (run.name === CHANNEL_TEST_JOB ? testChannel(run) : processBundle(run)),
  });
  return {
    outcomes,
    errors,
    circuitChanges,
    async stop() {
      await consumer.stop();
      await batchSender.stop();
      await scheduler.stop();
      await batches.close();
      await controls.stop();
      await callOff.stop();
      await jobs.close();
      await lanes.close();
      await recorder.close();
      await backlog.close();
      agents.destroy();
      disconnectRedis(connection);
    },
  };
}

export function openProducer(
  connection: RedisConnection,
  { prefix = 'test', shards = 1, bundleSize = 25, encryptionKeys = [] as readonly string[] } = {},
) {
  return openWebhooksOut({
    connection,
    prefix,
    shards,
    bundleSize,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox(encryptionKeys),
    priorityOf: () => 'normal',
    onError: () => undefined,
  });
}

/** The arrows of the picture: webhooks out and in, results out and in, over Redis. The only home of bullmq. */
export { type AnswerInTime, createAnswerInTime } from './answer-in-time.ts';
export { type BundleLog, claimWebhooks, type LoggedAttempt, readBundleLog } from './attempt-log.ts';
export {
  type CampaignChange,
  type CampaignControlsStore,
  type CampaignState,
  campaignLane,
  campaignOfLane,
  openCampaignControls,
  type StoredControls,
} from './campaign-controls.ts';
export {
  type CampaignBacklog,
  type CampaignBacklogOptions,
  createCampaignBacklog,
} from './campaign-backlog.ts';
export { type CampaignJobs, openCampaignJobs, type Sweep } from './campaign-jobs.ts';
export { createLossCheck } from './count-losses.ts';
export { type KnownControls, openKnownControls } from './known-controls.ts';
export { type Batches, type Gathered, type Lot, type LotHead, openBatches } from './batches.ts';
export { bodyBytesMax } from './bundle-capacity.ts';
export { type CampaignLogs, type LoggedRun, type LoggedWebhook, openCampaignLogs } from './campaign-logs.ts';
export { type CampaignReferences, openCampaignReferences } from './campaign-references.ts';
export {
  CHANNEL_TEST_JOB,
  type ChannelTestsIn,
  type ChannelTestsOut,
  openChannelTestsIn,
  openChannelTestsOut,
} from './channel-tests.ts';
export { type Channels, ChannelUnreadableError, openChannels, UNREADABLE } from './channels.ts';
export { channelOfLane, type Circuit, type Circuits, laneOf, openCircuits } from './circuits.ts';
export { checkRedis, RedisUnfitError, RedisUnreachableError } from './check-redis.ts';
export { parseRedisUrl } from './redis-url.ts';
export {
  createTellOnce,
  type OnUnreadable,
  readCount,
  readObject,
} from './read-stored.ts';
export {
  type ConnectOptions,
  connectRedis,
  disconnectRedis,
  isRedisUnavailable,
  type RedisConnection,
} from './connection.ts';
export {
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetters,
  openDeadLetters,
  parseCursor,
  type ReplayPreview,
} from './dead-letters.ts';
export { isOfLaterVersion, LaterVersionError } from './later-version.ts';
export { inspectRedis, type RedisFacts } from './inspect-redis.ts';
export { type EventTypes, openEventTypes, parseEventType, type StoredEventType } from './event-types.ts';
export { type EventsOut, type EventToReport, openEventsOut } from './events-out.ts';
export {
  FLEET_EVENTS_KEPT,
  type FleetEventPage,
  type FleetEvents,
  openFleetEvents,
} from './fleet-events.ts';
export { checkKeyPrefix, fleetEventsKey, shardPrefix } from './keys.ts';
export {
  type Admission,
  type AdmitRequest,
  type LaneJob,
  laneJobOf,
  type LaneLimits,
  type LanePair,
  type Lanes,
  LOOKED_AT_MS,
  openLanes,
  readCampaignsWaiting,
  readWaiting,
  type Wait,
  WAIT_REASONS,
  type WaitingLane,
  type WaitReason,
} from './lanes.ts';
export { drainFormerLanes } from './drain-former-lanes.ts';
export { eventIdOf, outcomeFromLog, recipientsAndMembers } from './outcome-from-log.ts';
export {
  createOutcomeRecorder,
  type LoggedRecord,
  type OutcomeRecorder,
  type RecordedAttempt,
} from './outcome-recorder.ts';
export type { WebhookToEnqueue } from './pack-bundles.ts';
export {
  createQueueMonitor,
  QUEUE_STATES,
  type QueueMonitor,
  type QueueSample,
} from './queue-monitor.ts';
export { ageOf, type HeldReason, type WaitingWebhooks, whereAllWait } from './where-webhooks-wait.ts';
export { type ReadSortedSetOptions, readSortedSet, type SortedMember } from './read-sorted-set.ts';
export { checkWrites } from './check-writes.ts';
export { unreadShards } from './unread-shards.ts';
export { type FleetSettings, readFleetSettings } from './fleet-settings.ts';
export { followShards, type JoinedShards, joinShards } from './fleet-shards.ts';

export { openSessionStore } from './session-store.ts';
export { beginFleetWait, createHandOverWait, createReplicaWait, type ReplicaWait } from './replica-wait.ts';
export type { RedisMemory } from './redis-memory.ts';
export { type ConsumeResultsOptions, consumeResults, type ResultsConsumer } from './results-in.ts';
export { openResultsOut, type ResultsOut } from './results-out.ts';
export { defineScripts } from './scripts.ts';
export {
  createSecretBox,
  parseEncryptionKey,
  type SecretBox,
  SecretKeyMissingError,
} from './secret-box.ts';
export { checkFormats, STORED_FORMATS } from './stored-formats.ts';
export type { ShardOptions } from './shard-queues.ts';
export {
  type BundleRun,
  type BundleRunEnd,
  type ConsumeWebhooksOptions,
  consumeWebhooks,
  UnreadableBundleError,
  type WebhooksConsumer,
} from './webhooks-in.ts';
export {
  CLOCK_WRONG_MS,
  createListWorkers,
  startWorkerHeartbeat,
  type WorkerHeartbeat,
  type WorkerHeartbeatOptions,
  type WorkerEgress,
  type WorkerReport,
} from './worker-registry.ts';
export { openWebhooksOut, type WebhooksOut, type WebhooksOutOptions } from './webhooks-out.ts';
export { sumOfCounts } from './due-later.ts';

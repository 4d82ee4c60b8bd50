/**
 * The names of our keys. Everything of a shard shares one Redis Cluster slot, so that a script may touch all of it
 * and a whole shard can move to another node; a campaign's counters have a slot of their own (apps/aggregator).
 *
 *     {hookfleet:0}:webhooks:…   BullMQ's keys of the webhooks queue; the other shards' tags: shard-tag.ts
 *     {hookfleet:0}:results:…    BullMQ's keys of the results queue
 *     {hookfleet:0}:log:…        attempt log of a bundle
 *     {hookfleet:0}:dead:…       dead letters of a campaign
 *     {hookfleet:0}:idempotency:…
 *     {hookfleet:0}:attempts     how many were recorded
 *     {hookfleet:0}:backlog      webhooks in the queue, by campaign
 *     {hookfleet:0}:later        how many webhooks wait for a time of their own (due-later.ts)
 *     {hookfleet:0}:ready        written by readiness checks; {hookfleet}:ready too
 *     {hookfleet:0}:kept:…       for a minute: whether two connections have one master (replica-wait.ts); in every slot
 *     {hookfleet:0}:lots         lots that gather batches, by the time to look at them
 *     {hookfleet:0}:lot:…        a lot
 *     {hookfleet:0}:gathered     webhooks in lots
 *     {hookfleet:0}:gathers      calls of late that put webhooks into lots
 *     {hookfleet}:formats        versions of what is stored without one of its own
 *     {hookfleet}:settings       what all processes have alike: how many shards there are; …:settings:keys, ids of the encryption keys
 *     {hookfleet}:channels
 *     {hookfleet}:controls       of campaigns that have any
 *     {hookfleet}:changes        of controls, circuits and channels, by version; …:changes:version
 *     {hookfleet}:sweeps         campaigns whose waiting webhooks are to be cancelled, by the time
 *     {hookfleet}:priorities     of campaigns, as lanes count them
 *     {hookfleet}:event-types    custom events that are activated; …:event-types:version
 *     {hookfleet}:reference:…    the campaign that an external reference stands for
 *     {hookfleet}:circuits       of lanes, where they are not closed
 *     {hookfleet}:events         of the fleet: circuits, operators, campaigns that are complete
 *     {hookfleet}:waits          lanes that have something to do, by the time to look at them
 *     {hookfleet}:waits:…        a lane: what waits in it, its limits
 *     {hookfleet}:waiting        webhooks that wait in lanes, by lane; …:waiting:reasons; …:waiting:retries, their sum of retries
 *     {hookfleet}:workers        ids of those that reported; …:worker:<id>, what each reported
 *     {hookfleet}:session:…      of the page, by the digest of its id
 *     {hookfleet}:test:…         a channel's test: that it is wanted, what came of it
 */
import { createHash } from 'node:crypto';
import { WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { shardTag } from './shard-tag.ts';

/** In braces stands what decides the slot of a key in a Redis Cluster: others inside would spread what belongs together. */
export function checkKeyPrefix(prefix: string): void {
  if (!/^[^{}\s]{1,64}$/.test(prefix))
    throw new TypeError('must be 1 to 64 characters, without braces and spaces');
}

/** BullMQ's prefix for a shard: a hash tag, as Redis Cluster asks for. */
export function shardPrefix(prefix: string, shard: number): string {
  return `{${shardTag(prefix, shard)}}`;
}

/** A bundle's attempt log: a hash, described in attempt-log.ts. */
export function attemptLogKey(shardTag: string, run: string, first: number): string {
  return `${shardTag}:log:${bundleName(run, first)}`;
}

/** BullMQ's, of a job in the webhooks queue. */
export function webhookJobKey(shardTag: string, jobId: string): string {
  return `${shardTag}:${WEBHOOKS_QUEUE}:${jobId}`;
}

export function deadLettersKey(shardTag: string, campaignId: string): string {
  return `${shardTag}:dead:${campaignId}`;
}

export function attemptsCounterKey(shardTag: string): string {
  return `${shardTag}:attempts`;
}

/** Webhooks in the shard's queue, by campaign: what priorities are made of. */
export function backlogKey(shardTag: string): string {
  return `${shardTag}:backlog`;
}

/** Written by readiness checks (check-writes.ts). */
export function readinessKey(tag: string): string {
  return `${tag}:ready`;
}

/** How many webhooks wait for a time of their own. */
export function dueLaterKey(shardTag: string): string {
  return `${shardTag}:later`;
}

export function fleetEventsKey(prefix: string): string {
  return `{${prefix}}:events`;
}

/** The keys of a lot, in which webhooks gather until they are a batch. `lot`: its name, of safe characters. */
export function lotKeys(shardTag: string, lot: string) {
  const own = `${shardTag}:lot:${lot}`;
  return {
    due: dueLotsKey(shardTag),
    gathered: gatheredKey(shardTag),
    gathers: `${shardTag}:gathers`,
    order: `${own}:order`,
    data: `${own}:data`,
    state: `${own}:state`,
    cut: `${own}:cut`,
    leases: `${own}:leases`,
    aside: `${own}:aside`,
  };
}

export function dueLotsKey(shardTag: string): string {
  return `${shardTag}:lots`;
}

export function gatheredKey(shardTag: string): string {
  return `${shardTag}:gathered`;
}

/** Callers choose idempotency keys of any length: they are hashed, so that a key costs the same. */
export function idempotencyDigest(campaignId: string, idempotencyKey: string): Buffer {
  return createHash('sha256').update(campaignId).update('\0').update(idempotencyKey).digest().subarray(0, 16);
}

export function idempotencyKeyName(shardTag: string, digest: Buffer): string {
  return `${shardTag}:idempotency:${digest.toString('base64url')}`;
}

/** What all processes of a fleet must have alike (fleet-shards.ts). */
export function fleetSettingsKey(prefix: string): string {
  return `{${prefix}}:settings`;
}

/** Ids of the encryption keys that the fleet's processes have (fleet-settings.ts). */
export function fleetKeyIdsKey(prefix: string): string {
  return `{${prefix}}:settings:keys`;
}

/** `digest`: of the session's id. */
export function sessionKey(prefix: string, digest: string): string {
  return `{${prefix}}:session:${digest}`;
}

export function formatsKey(prefix: string): string {
  return `{${prefix}}:formats`;
}

export function channelsKey(prefix: string): string {
  return `{${prefix}}:channels`;
}

/** What decides what may be sent, and the list of its changes: in one slot, so that a script may touch all of it. */
export function controlsKeys(prefix: string) {
  return {
    controls: `{${prefix}}:controls`,
    circuits: `{${prefix}}:circuits`,
    priorities: `{${prefix}}:priorities`,
    channels: channelsKey(prefix),
    dueLanes: `{${prefix}}:waits`,
    sweeps: `{${prefix}}:sweeps`,
    version: `{${prefix}}:changes:version`,
    changes: `{${prefix}}:changes`,
    /** Raised by an earlier version of hookfleet. */
    earlierVersion: `{${prefix}}:controls:version`,
  };
}

export function eventTypesKey(prefix: string): string {
  return `{${prefix}}:event-types`;
}

export function eventTypesVersionKey(prefix: string): string {
  return `{${prefix}}:event-types:version`;
}

export function campaignReferenceKey(prefix: string, reference: string): string {
  return `{${prefix}}:reference:${reference}`;
}

/** A lane's keys, in the order of lane.lua: in the slot of all lanes, so that a script may touch what it needs. */
export function laneKeys(prefix: string, lane: string): string[] {
  const parts = ['jobs', 'order', 'flows', 'released', 'state', 'permits'];
  return parts.map((part) => `{${prefix}}:waits:${lane}:${part}`);
}

/** The campaigns of which webhooks wait in the lane, and their retries. */
export function laneFlowsKey(prefix: string, lane: string): string {
  return `{${prefix}}:waits:${lane}:flows`;
}

/** Webhooks that wait, by lane. */
export function waitingKey(prefix: string): string {
  return `{${prefix}}:waiting`;
}

/** Why they wait, by lane. */
export function waitReasonsKey(prefix: string): string {
  return `{${prefix}}:waiting:reasons`;
}

/** How many of those that wait in lanes are retries. */
export function waitingRetriesKey(prefix: string): string {
  return `{${prefix}}:waiting:retries`;
}

/** Where an earlier version parked webhooks; drain-former-lanes.ts. */
export function formerLaneKeys(prefix: string, lane: string) {
  const own = `{${prefix}}:lane:${lane}`;
  return {
    due: `{${prefix}}:lanes`,
    parked: formerParkedKey(prefix),
    order: `${own}:order`,
    data: `${own}:data`,
    state: `${own}:state`,
    leases: `${own}:leases`,
    flows: `${own}:flows`,
    /** Pieces that can't be read, for a person to look at. */
    aside: `${own}:aside`,
  };
}

export function formerParkedKey(prefix: string): string {
  return `{${prefix}}:parked`;
}

export function workersKey(prefix: string): string {
  return `{${prefix}}:workers`;
}

export function workerKey(prefix: string, workerId: string): string {
  return `{${prefix}}:worker:${workerId}`;
}

export function channelTestKey(prefix: string, id: string, part: 'wanted' | 'result'): string {
  return `{${prefix}}:test:${id}:${part}`;
}

/** Names a bundle, its first job and its log. Job ids of BullMQ must hold no colon and not be a number. */
export function bundleName(run: string, first: number): string {
  return `${run}_${first.toString(36)}`;
}

/** The job of a webhook's later attempt: made of the webhook's id and the attempt, so that it is written once. */
export function retryJobId(run: string, first: number, index: number, attempt: number): string {
  return `${bundleName(run, first)}_${index.toString(36)}_${attempt}`;
}

/**
 * One job per generation of the campaign: after a cancel and a resume, the job of the cancelled replay may still be there,
 * and BullMQ ignores a second job of the same id.
 */
export function replayJobId(
  run: string,
  first: number,
  index: number,
  { attempt, generation = 0 }: { readonly attempt: number; readonly generation?: number | undefined },
): string {
  const id = retryJobId(run, first, index, attempt);
  return generation === 0 ? id : `${id}_${generation}`;
}

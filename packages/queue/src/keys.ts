/**
 * The names of our keys. Everything of a shard shares one Redis Cluster slot, so that a script may touch all of it
 * and a whole shard can move to another node; a campaign's counters have a slot of their own (apps/aggregator).
 *
 *     {hookfleet:0}:webhooks:…   BullMQ's keys of the webhooks queue
 *     {hookfleet:0}:results:…    BullMQ's keys of the results queue
 *     {hookfleet:0}:log:…        attempt log of a bundle
 *     {hookfleet:0}:dead:…       dead letters of a campaign
 *     {hookfleet:0}:idempotency:…
 *     {hookfleet:0}:attempts     how many were recorded
 *     {hookfleet}:channels
 *     {hookfleet}:controls       of campaigns that have any; …:controls:version
 *     {hookfleet}:circuits       of lanes, where they are not closed
 *     {hookfleet}:lanes          that have something to do, by the time to look at them
 *     {hookfleet}:parked         webhooks parked, by lane
 *     {hookfleet}:lane:…         a lane's parking lot
 *     {hookfleet}:test:…         a channel's test: who makes it, what came of it
 */
import { createHash } from 'node:crypto';

/** BullMQ's prefix for a shard: a hash tag, as Redis Cluster asks for. */
export function shardPrefix(prefix: string, shard: number): string {
  return `{${prefix}:${shard}}`;
}

/** A bundle's attempt log: a hash, described in attempt-log.ts. */
export function attemptLogKey(shardTag: string, run: string, first: number): string {
  return `${shardTag}:log:${bundleName(run, first)}`;
}

export function deadLettersKey(shardTag: string, campaignId: string): string {
  return `${shardTag}:dead:${campaignId}`;
}

export function attemptsCounterKey(shardTag: string): string {
  return `${shardTag}:attempts`;
}

/** Callers choose idempotency keys of any length: they are hashed, so that a key costs the same. */
export function idempotencyDigest(campaignId: string, idempotencyKey: string): Buffer {
  return createHash('sha256').update(campaignId).update('\0').update(idempotencyKey).digest().subarray(0, 16);
}

export function idempotencyKeyName(shardTag: string, digest: Buffer): string {
  return `${shardTag}:idempotency:${digest.toString('base64url')}`;
}

export function channelsKey(prefix: string): string {
  return `{${prefix}}:channels`;
}

export function controlsKey(prefix: string): string {
  return `{${prefix}}:controls`;
}

export function controlsVersionKey(prefix: string): string {
  return `{${prefix}}:controls:version`;
}

export function circuitsKey(prefix: string): string {
  return `{${prefix}}:circuits`;
}

/** The keys of the lanes' parking lots: all in one slot, so that a script may touch a lane and what is due. */
export function laneKeys(prefix: string, lane: string) {
  const own = `{${prefix}}:lane:${lane}`;
  return {
    due: dueLanesKey(prefix),
    parked: parkedKey(prefix),
    order: `${own}:order`,
    data: `${own}:data`,
    state: `${own}:state`,
    leases: `${own}:leases`,
  };
}

export function dueLanesKey(prefix: string): string {
  return `{${prefix}}:lanes`;
}

export function parkedKey(prefix: string): string {
  return `{${prefix}}:parked`;
}

export function channelTestKey(prefix: string, id: string, part: 'claim' | 'result'): string {
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

/**
 * Decides which webhooks travel together: those of one campaign, destination, time and shard, up to the bundle's
 * size in webhooks and bytes. Pure but for the positions it takes.
 */
import {
  BUNDLE_VERSION,
  type Bundle,
  type BundledWebhook,
  type Destination,
  type TraceContext,
} from '@hookfleet/contract';
import { idempotencyDigest } from './keys.ts';
import type { PositionAllocator } from './positions.ts';
import type { SecretBox } from './secret-box.ts';

// A bundle's data goes through Redis as one value each time it moves: half a megabyte keeps that under a millisecond.
const BUNDLE_BYTES_MAX = 512 * 1024;

/** A webhook that passed the edge: ids are text, the body is what will be sent. */
export interface WebhookToEnqueue {
  readonly campaignId: string;
  readonly messageId: string;
  readonly channelConfigId?: string | undefined;
  readonly destination?: Destination | undefined;
  readonly body: string;
  readonly contentType?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly deliverAtMs?: number | undefined;
  readonly userId?: string | undefined;
  /** Of the call that brought it in, where its trace is sampled. */
  readonly trace?: TraceContext | undefined;
}

export interface PackedBundle {
  readonly shard: number;
  readonly bundle: Bundle;
  /** For each of the bundle's webhooks, its place in what was packed. */
  readonly members: number[];
}

export interface PackOptions {
  readonly bundleSize: number;
  readonly shards: number;
  readonly positions: PositionAllocator;
  readonly nowMs: number;
  /** Where a webhook without idempotency key may go: any shard, by turns. */
  readonly nextShard: () => number;
  readonly secrets: SecretBox;
  /** Of the controls that are known; 0: none were ever set. */
  readonly controlsVersion: number;
  /** Of the campaign now; undefined stands for the first. */
  readonly generationOf: (campaignId: string) => number | undefined;
}

interface OpenBundle {
  readonly shard: number;
  readonly members: number[];
  bytes: number;
}

export function packBundles(webhooks: readonly WebhookToEnqueue[], options: PackOptions): PackedBundle[] {
  const packing = packInSteps(webhooks, options);
  let step = packing.next();
  while (!step.done) step = packing.next();
  return step.value;
}

// Destinations of 6 KB each, which are written as JSON twice and encrypted: 10 ms a step.
const STEP_WEBHOOKS = 500;

/** The same in steps, between which others may work. */
export function* packInSteps(
  webhooks: readonly WebhookToEnqueue[],
  options: PackOptions,
): Generator<void, PackedBundle[]> {
  const open = new Map<string, OpenBundle>();
  const closed: OpenBundle[] = [];
  for (const [member, webhook] of webhooks.entries()) {
    const shard = shardOf(webhook, options.shards);
    const key = groupKey(webhook, shard);
    const bytes = Buffer.byteLength(webhook.body);
    let group = open.get(key);
    if (
      group === undefined ||
      group.members.length >= options.bundleSize ||
      group.bytes + bytes > BUNDLE_BYTES_MAX
    ) {
      group = { shard: shard ?? options.nextShard(), members: [], bytes: 0 };
      open.set(key, group);
      closed.push(group);
    }
    group.members.push(member);
    group.bytes += bytes;
    if (member % STEP_WEBHOOKS === STEP_WEBHOOKS - 1) yield;
  }
  const packed: PackedBundle[] = [];
  for (const { shard, members } of closed) {
    packed.push({ shard, members, bundle: toBundle(webhooks, members, options) });
    if (packed.length % STEP_WEBHOOKS === 0) yield;
  }
  return packed;
}

/** The shard is fixed where an idempotency key must be found again, else open. */
export function shardOf(
  { campaignId, idempotencyKey }: WebhookToEnqueue,
  shards: number,
): number | undefined {
  if (idempotencyKey === undefined) return undefined;
  return shards === 1 ? 0 : idempotencyDigest(campaignId, idempotencyKey).readUInt32BE(0) % shards;
}

function groupKey(webhook: WebhookToEnqueue, shard: number | undefined): string {
  const target = webhook.channelConfigId ?? `\0${JSON.stringify(webhook.destination)}`;
  return `${webhook.campaignId}\0${webhook.deliverAtMs ?? ''}\0${shard ?? ''}\0${target}`;
}

function toBundle(
  webhooks: readonly WebhookToEnqueue[],
  members: readonly number[],
  options: PackOptions,
): Bundle {
  const head = webhooks[members[0] as number] as WebhookToEnqueue;
  const { run, first } = options.positions.allocate(head.campaignId, members.length);
  const generation = options.generationOf(head.campaignId);
  const sharesTrace = members.every(
    (member) => webhooks[member]?.trace?.traceparent === head.trace?.traceparent,
  );
  return {
    version: BUNDLE_VERSION,
    campaignId: head.campaignId,
    run,
    first,
    acceptedAt: options.nowMs,
    ...(head.deliverAtMs !== undefined && { deliverAt: head.deliverAtMs }),
    attempt: 1,
    ...(options.controlsVersion > 0 && { controlsVersion: options.controlsVersion }),
    ...(generation !== undefined && { generation }),
    ...(head.idempotencyKey !== undefined && { claim: true }),
    ...(head.channelConfigId !== undefined && { channelConfigId: head.channelConfigId }),
    ...(head.destination !== undefined && destinationOf(head.destination, head, options.secrets)),
    ...(sharesTrace && head.trace !== undefined && { trace: head.trace }),
    webhooks: members.map((member, index) =>
      toBundledWebhook(webhooks[member] as WebhookToEnqueue, index, sharesTrace),
    ),
  };
}

/** Closed where there is a key: it may hold secrets, and lies in Redis as long as its webhooks. */
function destinationOf(
  destination: Destination,
  { campaignId }: WebhookToEnqueue,
  secrets: SecretBox,
): Partial<Bundle> {
  return secrets.hasKey
    ? { sealedDestination: secrets.seal(JSON.stringify(destination), { campaignId }) }
    : { destination };
}

function toBundledWebhook(
  { messageId, userId, body, contentType, trace }: WebhookToEnqueue,
  index: number,
  sharesTrace: boolean,
): BundledWebhook {
  return {
    index,
    messageId,
    ...(userId !== undefined && { userId }),
    body,
    ...(contentType !== undefined && { contentType }),
    ...(!sharesTrace && trace !== undefined && { trace }),
  };
}

/**
 * Batches: the webhooks of one campaign, message and channel gather in a lot until they are enough, or the first has
 * waited long enough; then they leave as one job, a bundle of a single webhook that holds them all.
 *
 *   bundle's job ──gather──▶ lot ──cut──▶ on lease ──note──▶ their logs name the batch ──add──▶ the batch's job ──settle──▶ gone
 *
 * How many are enough and how long is long enough is asked of the channel each time a lot is looked at. If the channel sends
 * no batches any more, its webhooks leave one by one, each as it was given.
 *
 * If we die between two arrows:
 *   before gather     the bundle's job runs again and gathers its webhooks: those that are here already stay as they are
 *   after gather      the same; the lot goes out by its time, which every worker looks at
 *   after cut         the lease grows stale, and the same batch is cut again under the same id
 *   after add         the same; its job is there still, or its attempt log tells what has been done
 * A webhook is thus in one batch alone: while it is in the lot its data keeps a second one out, and from then on its
 * log does (process-bundle.ts passes over what has a batch).
 *
 * A webhook that nobody can read is set aside (`aside`, by its id) and reported; the others of its lot go on without it.
 *
 * In a cluster, the shards of a webhook and of its lot may have different masters, of which one may fail: what goes to the
 * other shard is waited for (`handOverWait`) before it is removed from the one it comes from.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  BATCH_SIZE_MAX,
  BATCH_WAIT_DEFAULT_MS,
  type BatchBody,
  type Batching,
  type Bundle,
  type BundledWebhook,
  distinctTraces,
  formatWebhookId,
  parseWebhookId,
  positionOf,
  toPositionRanges,
  type TraceContext,
  traceOf,
  type WebhookLocation,
  WEBHOOKS_QUEUE,
} from '@hookfleet/contract';
import { noteBatch, noteWaiting } from './attempt-log.ts';
import { lossesOf } from './count-losses.ts';
import { attemptLogKey, bundleName, dueLotsKey, lotKeys, shardPrefix } from './keys.ts';
import { onceAvailable } from './once-available.ts';
import { createPositionAllocator } from './positions.ts';
import { type ReplicaWait, shardKeys } from './replica-wait.ts';
import { createReadStored, createTellOnce, type OnUnreadable } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

/** Where webhooks gather. */
export interface Lot {
  readonly shard: number;
  readonly name: string;
}

export interface Gathered {
  readonly lot: Lot;
  /** Enough for a batch. */
  readonly isFull: boolean;
  /** Until the first of them has waited long enough. */
  readonly dueInMs: number;
}

export interface Batches {
  /** Puts webhooks of a bundle, of one message or several, into their lots. May be repeated. */
  gather(
    shard: number,
    bundle: Bundle,
    webhooks: readonly BundledWebhook[],
    batching: Batching,
  ): Promise<Gathered[]>;
  /**
   * Sends the batches of the lot that are full or due by what its channel says now, or everything if its campaign is cancelled.
   * Resolves to the milliseconds until the next is due, or undefined if nothing is left.
   */
  send(lot: Lot): Promise<number | undefined>;
  /** Takes lots that are due to be looked at, for a second. */
  claimDue(lotsMax: number): Promise<Lot[]>;
  /** All lots. */
  list(): Promise<Lot[]>;
  close(): Promise<void>;
}

// A batch's body travels as one value: as much as a single webhook's may be.
const BATCH_BYTES_MAX = 1024 * 1024;
const CLAIM_MS = 1_000;

export interface LotSettings {
  /** Undefined: the channel sends no batches any more. */
  readonly batching: Batching | undefined;
  readonly isCancelled: boolean;
  /**
   * Of the controls by which this was decided: who takes what leaves the lot must know these at least, or it would send what
   * leaves because it is cancelled.
   */
  readonly controlsVersion: number;
}

/** What a lot's webhooks have in common. */
export interface LotHead {
  readonly campaignId: string;
  readonly messageId: string;
  readonly channelConfigId: string;
  /** Of the campaign, when the webhooks were enqueued: those of different generations do not mix. */
  readonly generation?: number;
}

/** With the controls by which it was decided what leaves the lot. */
type DecidedHead = LotHead & Pick<LotSettings, 'controlsVersion'>;

interface GatheredWebhook {
  readonly acceptedAt: number;
  readonly userId?: string;
  readonly body: string;
  readonly contentType?: string;
  readonly trace?: TraceContext;
}

export function openBatches(
  options: ShardOptions & {
    /** The log of a webhook that waits is kept so long. */
    readonly retentionMs: number;
    /** A batch that was cut and is not in the queue by then is sent again. Far longer than that takes. */
    readonly leaseMs: number;
    /** As they are now. */
    readonly settingsOf: (head: LotHead) => Promise<LotSettings>;
    readonly handOverWait?: ReplicaWait | undefined;
    readonly onUnreadable?: OnUnreadable | undefined;
  },
): Batches {
  const { connection, prefix, shards, retentionMs, leaseMs, settingsOf, handOverWait, onUnreadable } =
    options;
  defineScripts(connection);
  const readGathered = createReadStored<GatheredWebhook>(
    'a webhook that waits for its batch',
    onUnreadable,
    ({ body, acceptedAt }) => typeof body === 'string' && Number.isFinite(acceptedAt),
  );
  const readHead = createReadStored<LotHead>(
    'what the webhooks of a lot have in common',
    onUnreadable,
    ({ campaignId, messageId, channelConfigId }) =>
      [campaignId, messageId, channelConfigId].every((id) => typeof id === 'string'),
  );
  const tellOfEntries = createTellOnce('an entry of a lot', onUnreadable);
  const losses = lossesOf(connection);
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);
  const positions = createPositionAllocator();

  function keysOf({ shard, name }: Lot) {
    return lotKeys(shardPrefix(prefix, shard), name);
  }

  async function gatherInto(
    shard: number,
    bundle: Bundle,
    webhooks: readonly BundledWebhook[],
    head: LotHead,
    lot: Lot,
    batching: Batching,
  ): Promise<Gathered> {
    const { due, order, data, state, gathered, gathers } = keysOf(lot);
    // First the note, then the lot: a webhook that is in neither is in its job, which runs again.
    await noteWaiting(
      connection,
      shardPrefix(prefix, shard),
      bundle,
      `batch:${lot.name}`,
      webhooks,
      retentionMs,
    );
    const { run, first } = bundle;
    const [waiting, bytes, dueInMs] = (await runScript(
      connection,
      'gatherWebhooks',
      [due, order, data, state, gathered, gathers],
      [
        lot.name,
        JSON.stringify(head),
        batching.maxWaitMs ?? BATCH_WAIT_DEFAULT_MS,
        randomBytes(9).toString('base64url'),
        ...webhooks.flatMap((webhook) => [
          formatWebhookId({ shard, run, first, index: webhook.index }),
          JSON.stringify(toGathered(bundle, webhook)),
        ]),
      ],
    )) as [number, number, number];
    return { lot, isFull: waiting >= batching.size || bytes >= BATCH_BYTES_MAX, dueInMs };
  }

  /** One batch, if there is one: cut, noted, added, settled. */
  async function sendOne(lot: Lot, { batching, isCancelled, controlsVersion }: LotSettings) {
    const { due, order, data, state, cut, leases, gathered, aside } = keysOf(lot);
    const proposed = proposeId(lot);
    let before = losses();
    const { size, maxWaitMs = BATCH_WAIT_DEFAULT_MS } = batching ?? { size: BATCH_SIZE_MAX, maxWaitMs: 0 };
    const [nextInMs, headText, unreadable, batchId, ...flat] = (await runScript(
      connection,
      'cutBatch',
      [due, order, data, state, cut, leases],
      [lot.name, proposed, BATCH_BYTES_MAX, leaseMs, isCancelled ? '1' : '0', size, maxWaitMs],
    )) as [number, string, number, string | undefined, ...string[]];
    if (unreadable > 0) tellOfEntries(lot.name);
    if (batchId === undefined) return { isSent: false, nextInMs };
    const read = readHead(lot.name, headText);
    if (read === undefined) return { isSent: false, nextInMs: -1 };
    const head = { ...read, controlsVersion };
    const members: Member[] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const [id, text] = flat.slice(i, i + 2) as [string, string];
      const location = parseWebhookId(id);
      const webhook = readGathered(id, text);
      if (location !== undefined && webhook !== undefined) members.push({ id, location, webhook });
      else await connection.hset(aside, id, text);
    }
    // One whose maker died may stand in its webhooks' logs already: it stays a batch.
    const isBatch = batching !== undefined || batchId !== proposed;
    async function add(): Promise<void> {
      if (members.length === 0) return;
      await onceAvailable(() =>
        isBatch ? addBatch(lot, batchId as string, head, members) : addSingles(lot, head, members),
      );
    }
    for (await add(); losses() !== before; await add()) {
      before = losses();
      // The master that there is now may not know of the cut, nor of what was added: its webhooks are in the lot there.
      if ((await onceAvailable(() => connection.hexists(cut, batchId))) === 0)
        return { isSent: true, nextInMs };
    }
    await runScript(
      connection,
      'settleBatch',
      [due, order, data, state, cut, leases, gathered],
      [lot.name, batchId],
    );
    // It may have been settled by a master that was not given the batch.
    if (losses() !== before) await add();
    return { isSent: true, nextInMs };
  }

  async function addBatch(
    lot: Lot,
    batchId: string,
    head: DecidedHead,
    members: readonly Member[],
  ): Promise<void> {
    const untilKept = keptBeside(lot.shard);
    await noteMembers(lot, batchId, head, members);
    await untilKept(members.map(({ location }) => location.shard));
    const bundle = toBatch(batchId, head, members);
    const job = { jobId: bundleName(bundle.run, bundle.first), removeOnComplete: true, attempts: 1 };
    await queues.of(lot.shard).add(bundle.campaignId, bundle, job);
  }

  /** Each goes on by itself, in its own shard. */
  async function addSingles(lot: Lot, head: DecidedHead, members: readonly Member[]): Promise<void> {
    const untilKept = keptBeside(lot.shard);
    const byShard = Map.groupBy(members, ({ location }) => location.shard);
    await Promise.all(
      [...byShard].map(([shard, ofShard]) =>
        queues.of(shard).addBulk(ofShard.map((one) => toSingle(head, one))),
      ),
    );
    await untilKept(byShard.keys());
  }

  /** To be called before the writes; the result waits for those of other shards than this one. */
  function keptBeside(shard: number): (shards: Iterable<number>) => Promise<void> {
    const untilKept = handOverWait?.begin();
    return async (written) => {
      const others = [...written].filter((one) => one !== shard);
      if (others.length > 0) await untilKept?.(shardKeys(options, others));
    };
  }

  /** Of this process alone, so that no two batches have the same; on a repeat the first cut's stands. */
  function proposeId({ shard, name }: Lot): string {
    const { run, first } = positions.allocate(name, 1);
    return formatWebhookId({ shard, run, first, index: 0 });
  }

  async function noteMembers(
    lot: Lot,
    batchId: string,
    { campaignId, messageId, channelConfigId }: LotHead,
    members: readonly Member[],
  ): Promise<void> {
    const byLog = Map.groupBy(members, ({ location: { shard, run, first } }) =>
      attemptLogKey(shardPrefix(prefix, shard), run, first),
    );
    await Promise.all(
      [...byLog.values()].map((ofLog) => {
        const [{ location, webhook }] = ofLog as [Member];
        return noteBatch(
          connection,
          shardPrefix(prefix, location.shard),
          location,
          { campaignId, channelConfigId, acceptedAt: webhook.acceptedAt },
          ofLog.map((member) => member.location.index),
          { lot: lot.name, messageId, batchId },
          retentionMs,
        );
      }),
    );
  }

  return {
    async gather(shard, bundle, webhooks, batching) {
      const { campaignId, channelConfigId = '', generation } = bundle;
      const byMessage = Map.groupBy(webhooks, ({ messageId }) => messageId);
      const lots = [...byMessage].map(([messageId, ofMessage]) => {
        const head = {
          campaignId,
          messageId,
          channelConfigId,
          ...(generation !== undefined && { generation }),
        };
        return { head, ofMessage, lot: lotOf(head, shards) };
      });
      const abroad = lots.map(({ lot }) => lot.shard).filter((one) => one !== shard);
      // What a master that was cut off has taken, and will lose, must not outlive it elsewhere.
      if (abroad.length > 0) await handOverWait?.begin()(shardKeys(options, [shard]));
      const untilKept = keptBeside(shard);
      const gathered = await Promise.all(
        lots.map(({ head, ofMessage, lot }) => gatherInto(shard, bundle, ofMessage, head, lot, batching)),
      );
      await untilKept(abroad);
      return gathered;
    },
    async send(lot) {
      for (;;) {
        const text = await connection.hget(keysOf(lot).state, 'head');
        // The next webhook that comes into it writes it anew.
        const head = text === null ? undefined : readHead(lot.name, text);
        if (head === undefined) return undefined;
        const { isSent, nextInMs } = await sendOne(lot, await settingsOf(head));
        if (!isSent) return nextInMs === -1 ? undefined : nextInMs;
      }
    },
    async list() {
      const names = await Promise.all(
        Array.from({ length: shards }, (_, shard) =>
          connection.zrange(dueLotsKey(shardPrefix(prefix, shard)), 0, '-1'),
        ),
      );
      return names.flatMap((ofShard, shard) => ofShard.map((name): Lot => ({ shard, name })));
    },
    async claimDue(lotsMax) {
      const claimed = await Promise.all(
        Array.from({ length: shards }, async (_, shard) => {
          const [, ...names] = (await runScript(
            connection,
            'claimDue',
            [dueLotsKey(shardPrefix(prefix, shard))],
            [lotsMax, CLAIM_MS],
          )) as [number, ...string[]];
          return names.map((name): Lot => ({ shard, name }));
        }),
      );
      return claimed.flat();
    },
    close: queues.close,
  };
}

/** Hashed: the ids are their callers', and the same lot must be found by every worker. */
function lotOf({ campaignId, messageId, channelConfigId, generation }: LotHead, shards: number): Lot {
  const parts = [campaignId, messageId, channelConfigId, ...(generation === undefined ? [] : [generation])];
  const digest = createHash('sha256').update(parts.join('\0')).digest().subarray(0, 16);
  return { shard: digest.readUInt32BE(0) % shards, name: digest.toString('base64url') };
}

function toGathered(bundle: Bundle, webhook: BundledWebhook): GatheredWebhook {
  const { acceptedAt, deliverAt = 0 } = bundle;
  const { body, userId, contentType } = webhook;
  const trace = traceOf(bundle, webhook);
  return {
    acceptedAt: Math.max(acceptedAt, deliverAt),
    ...(userId !== undefined && { userId }),
    body,
    ...(contentType !== undefined && { contentType }),
    ...(trace !== undefined && { trace }),
  };
}

interface Member {
  readonly id: string;
  readonly location: WebhookLocation;
  readonly webhook: GatheredWebhook;
}

/** The bundle of one webhook, or one batch, that leaves a lot. */
function toBundle(
  { campaignId, messageId, channelConfigId, generation, controlsVersion }: DecidedHead,
  { run, first, index }: WebhookLocation,
  { acceptedAt, trace }: Pick<GatheredWebhook, 'acceptedAt'> & { readonly trace: TraceContext | undefined },
  content: Omit<BundledWebhook, 'index' | 'messageId'>,
): Bundle {
  return {
    version: 1,
    campaignId,
    channelConfigId,
    run,
    first,
    acceptedAt,
    attempt: 1,
    controlsVersion,
    ...(generation !== undefined && { generation }),
    recheck: true,
    ...(trace !== undefined && { trace }),
    webhooks: [{ index, messageId, ...content }],
  };
}

function toBatch(batchId: string, head: DecidedHead, members: readonly Member[]): Bundle {
  // One span can have one parent: the batch goes on in its first webhook's trace, and points to the others.
  const [trace, ...links] = distinctTraces(members.map(({ webhook }) => webhook.trace));
  const acceptedAt = Math.min(...members.map(({ webhook }) => webhook.acceptedAt));
  return toBundle(
    head,
    parseWebhookId(batchId) as WebhookLocation,
    { acceptedAt, trace },
    {
      body: batchBody(batchId, head, members),
      members: toPositionRanges(
        members.map(({ location }) => ({ run: location.run, position: positionOf(location) })),
      ),
      ...(links.length > 0 && { links }),
    },
  );
}

/** The job of a webhook that leaves its lot by itself. Made of its id, so that it is added once. */
function toSingle(head: DecidedHead, { location, webhook }: Member) {
  const { acceptedAt, trace, ...content } = webhook;
  const { run, first, index } = location;
  return {
    name: head.campaignId,
    data: toBundle(head, location, { acceptedAt, trace }, content),
    opts: {
      jobId: `${bundleName(run, first)}_${index.toString(36)}_single`,
      removeOnComplete: true,
      attempts: 1,
    },
  };
}

/** BatchBody as JSON. Payloads are put in as the text that they were given as: none is parsed or changed. */
function batchBody(batchId: string, head: DecidedHead, members: readonly Member[]): string {
  const { generation: _generation, controlsVersion: _version, ...shown } = head;
  const common: Omit<BatchBody, 'messages'> = { batchId, ...shown };
  const messages = members.map(({ id, webhook: { userId, body, contentType } }) => {
    const facts = JSON.stringify({ id, ...(userId !== undefined && { userId }) }).slice(0, -1);
    return contentType === undefined
      ? `${facts},"payload":${body}}`
      : `${facts},${JSON.stringify({ body, contentType }).slice(1)}`;
  });
  return `${JSON.stringify(common).slice(0, -1)},"messages":[${messages.join()}]}`;
}

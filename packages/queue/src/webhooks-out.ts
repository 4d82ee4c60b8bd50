/**
 * The webhooks queue's entrance. `enqueue` returns when every webhook is in Redis; until then nothing is promised.
 *
 * The order of the writes, and what a death between two of them leaves behind:
 *   1. idempotency keys are reserved      → keys "?": the repeated call enqueues under the same ids, to be claimed
 *   2. the bundles are added              → webhooks are delivered; the repeated call adds jobs that find them claimed
 *   3. keys are committed, acceptances go to the results queue
 *                                         → the campaign counts them as accepted with their first outcome
 * Where the connection is lost on the way, the first may be gone with a master that failed, and the others kept by its
 * successor: all of it is written once more, under the same ids.
 */
import {
  type Acceptance,
  type Bundle,
  formatWebhookId,
  parseWebhookId,
  toPositionRanges,
  type WebhookLocation,
  WEBHOOKS_QUEUE,
  type WebhookStatus,
} from '@hookfleet/contract';
import { randomBytes } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CampaignBacklogOptions, createCampaignBacklog } from './campaign-backlog.ts';
import { lossesOf } from './count-losses.ts';
import { countScheduled } from './due-later.ts';
import { findWebhook } from './find-webhook.ts';
import { createGroupCommit } from './group-commit.ts';
import type { KnownControls } from './known-controls.ts';
import {
  attemptLogKey,
  bundleName,
  idempotencyDigest,
  idempotencyKeyName,
  shardPrefix,
  webhookJobKey,
} from './keys.ts';
import { type PackedBundle, packInSteps, shardOf, type WebhookToEnqueue } from './pack-bundles.ts';
import { createPositionAllocator } from './positions.ts';
import { type ReplicaWait, shardKeys } from './replica-wait.ts';
import { openResultsOut } from './results-out.ts';
import { defineScripts, runScript } from './scripts.ts';
import type { SecretBox } from './secret-box.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

export interface WebhooksOutOptions extends ShardOptions {
  /** Webhooks in a bundle at most. */
  readonly bundleSize: number;
  /** A repeat of an idempotency key is recognized for so long. */
  readonly idempotencyRetentionMs: number;
  readonly secrets: SecretBox;
  /** Asked before `enqueue` returns, where an operator wants it. */
  readonly untilReplicated?: ReplicaWait | undefined;
  readonly controls: Pick<KnownControls, 'untilLatest' | 'of' | 'isCancelled' | 'version' | 'now'>;
  /** Of what steers and is not needed: the caller of `enqueue` is told of all else. */
  readonly onError: CampaignBacklogOptions['onError'];
}

export interface WebhooksOut {
  /** The webhooks' ids in their order. Rejects with Redis' error; the call may then be made again. */
  enqueue(webhooks: readonly WebhookToEnqueue[]): Promise<string[]>;
  /** Undefined for an id that is unknown or whose log has expired. */
  find(id: string): Promise<WebhookStatus | undefined>;
  close(): Promise<void>;
}

// Calls that share a write. One more write is under way at most, so that a call waits for a fraction of one. It lingers:
// at 800 calls a second, 3 to 5 ms more for a call make the way to its destination shorter by as much.
const SINGLES_GROUP = { itemsMax: 250, lingerMs: 3, writesMax: 2 } as const;
// A call whose connection was lost is made again by itself, if that was so soon: else its answer would be late.
const AGAIN_WITHIN_MS = 400;
// A body of more characters travels by itself: it would hold up the others, and gain nothing.
const SHARED_BODY_MAX = 16 * 1024;
// For so long, single calls go to the same of several shards: those that come together are to travel together.
const SHARD_TURN_MS = 2;

/** A job's options: our log and counters remember what BullMQ needn't. */
const BUNDLE_JOB = { removeOnComplete: true, attempts: 1 } as const;

// What is added at once is written as JSON, packed and sent at once: that holds the event loop, and takes several times
// its size in memory. So a large call is added piece by piece: 100 jobs take 20 to 40 ms.
const PIECE_JOBS_MAX = 100;
const PIECE_CHARACTERS_MAX = 2 * 1024 * 1024;

interface SingleCall {
  readonly webhook: WebhookToEnqueue;
}

interface JobToAdd {
  readonly shard: number;
  readonly jobId: string;
  readonly bundle: Bundle;
}

export function openWebhooksOut(options: WebhooksOutOptions): WebhooksOut {
  const { connection, prefix, shards, bundleSize, idempotencyRetentionMs, secrets } = options;
  const { untilReplicated, controls } = options;
  defineScripts(connection);
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);
  const results = openResultsOut(options);
  const backlog = createCampaignBacklog({
    ...options,
    priorityOf: (campaignId) => controls.of(campaignId).priority ?? 'normal',
  });
  const positions = createPositionAllocator();
  const losses = lossesOf(connection);
  let turn = 0;

  // Concurrent calls with one webhook each share bundles and writes: a job of its own would cost Redis, the producer and
  // the worker several times what the webhook in it costs.
  const singles = Array.from({ length: shards }, (_, shard) =>
    createGroupCommit<SingleCall, ReadonlyMap<SingleCall, string>>({
      async write(calls) {
        const ids = await enqueueAll(
          calls.map(({ webhook }) => webhook),
          () => shard,
        );
        return new Map(calls.map((call, i) => [call, ids[i] as string]));
      },
      ...SINGLES_GROUP,
      failsWaiting: true,
    }),
  );

  // Concurrent calls share a results job: counting acceptances costs a call next to nothing under load.
  const acceptances = Array.from({ length: shards }, (_, shard) =>
    createGroupCommit<Acceptance[]>({
      write: (groups) => results.add(shard, { acceptances: groups.flat() }),
      itemsMax: 200,
      lingerMs: 1,
      writesMax: 4,
      failsWaiting: true,
    }),
  );

  async function addJobs(jobs: readonly JobToAdd[]): Promise<void> {
    await Promise.all(
      [...Map.groupBy(jobs, (job) => job.shard)].map(async ([shard, ofShard]) => {
        for (const piece of piecesOf(ofShard)) await addPiece(shard, piece);
      }),
    );
  }

  async function addPiece(shard: number, ofShard: readonly JobToAdd[]): Promise<void> {
    const added = ofShard.map(({ jobId, bundle }) => ({
      name: bundle.campaignId,
      data: bundle,
      opts: {
        ...BUNDLE_JOB,
        jobId,
        priority: backlog.join(shard, bundle.campaignId, bundle.webhooks.length, false),
        ...delayOf(bundle),
      },
    }));
    await queues.of(shard).addBulk(added);
    // What is added again was counted when it was added first.
    const scheduled = added.filter(({ data, opts }) => opts.delay !== undefined && !data.recheck);
    await Promise.all([
      acceptances[shard]?.add(ofShard.flatMap(({ bundle }) => toAcceptances(bundle))),
      scheduled.length > 0 &&
        countScheduled(
          connection,
          shardPrefix(prefix, shard),
          scheduled.map(({ data }) => data),
        ),
    ]);
  }

  /** What is enqueued while its campaign is cancelled stays so, whatever comes: it belongs to no generation that is sent. */
  function generationOf(campaignId: string): number | undefined {
    const { generation, cancelledAtMs } = controls.of(campaignId);
    return cancelledAtMs === undefined ? generation : (generation ?? 0) - 1;
  }

  /** Nothing waits for its time in a campaign that is cancelled: it is to be counted as such. */
  function delayOf({ campaignId, generation, deliverAt = 0 }: Bundle): { delay?: number } {
    const delay = Math.round(deliverAt - controls.now());
    return delay > 0 && !controls.isCancelled(campaignId, generation) ? { delay } : {};
  }

  /** The ids found for the keys, in the order of the webhooks: "" where the key was new. */
  async function reserve(keyed: readonly Keyed[]): Promise<string[]> {
    const found = new Array<string>(keyed.length).fill('');
    await Promise.all(
      [...Map.groupBy(keyed.keys(), (at) => (keyed[at] as Keyed).shard)].map(async ([shard, ats]) => {
        const of = ats.map((at) => keyed[at] as Keyed);
        const values = (await runScript(
          connection,
          'reserveWebhookIds',
          of.map(({ digest }) => idempotencyKeyName(shardPrefix(prefix, shard), digest)),
          [idempotencyRetentionMs, ...of.map(({ id }) => id)],
        )) as string[];
        for (const [i, at] of ats.entries()) found[at] = values[i] ?? '';
      }),
    );
    return found;
  }

  async function commit(jobs: readonly JobToAdd[], keyed: readonly Keyed[]): Promise<void> {
    const jobOf = new Map(
      jobs.flatMap((job) => job.bundle.webhooks.map(({ index }) => [webhookIdOf(job, index), job] as const)),
    );
    await Promise.all(
      [...Map.groupBy(keyed, ({ shard }) => shard)].map(([shard, of]) => {
        const tag = shardPrefix(prefix, shard);
        const ofShard = [...new Set(of.map(({ id }) => jobOf.get(id) as JobToAdd))];
        const nthOf = new Map(ofShard.map((job, i) => [job, i + 1]));
        return runScript(
          connection,
          'commitWebhookIds',
          [
            ...of.map(({ digest }) => idempotencyKeyName(tag, digest)),
            ...ofShard.flatMap(({ jobId, bundle: { run, first } }) => [
              webhookJobKey(tag, jobId),
              attemptLogKey(tag, run, first),
            ]),
          ],
          [of.length, ...of.flatMap(({ id }) => [id, nthOf.get(jobOf.get(id) as JobToAdd) as number])],
        );
      }),
    );
  }

  /** Leaves out what is known by its key, and puts the id that it has into `ids`. */
  async function addOnce(
    packed: readonly PackedBundle[],
    keyed: readonly Keyed[],
    ids: string[],
  ): Promise<void> {
    const found = await reserve(keyed);
    const { jobs, uncommitted } = leaveOutKnown(packed, keyed, found, ids);
    await addJobs(jobs);
    await commit(jobs, uncommitted);
  }

  /** Resolves with the ids in the webhooks' order when all are in Redis. */
  async function enqueueAll(
    webhooks: readonly WebhookToEnqueue[],
    nextShard: () => number,
  ): Promise<string[]> {
    // A campaign may have been resumed a moment ago, over another producer: what comes now must carry its new generation.
    await controls.untilLatest();
    // Of one moment, however long the packing takes.
    const generations = new Map<string, number | undefined>();
    for (const { campaignId } of webhooks)
      if (!generations.has(campaignId)) generations.set(campaignId, generationOf(campaignId));
    const packing = packInSteps(webhooks, {
      bundleSize,
      shards,
      positions,
      nowMs: Math.round(controls.now()),
      nextShard,
      secrets,
      controlsVersion: controls.version(),
      generationOf: (campaignId) => generations.get(campaignId),
    });
    let step = packing.next();
    for (; !step.done; step = packing.next()) await nextTurn();
    const packed = step.value;
    const ids = new Array<string>(webhooks.length);
    const keyed: Keyed[] = [];
    for (const { shard, bundle, members } of packed) {
      for (const [index, member] of members.entries()) {
        const id = webhookIdOf({ shard, bundle }, index);
        ids[member] = id;
        const { campaignId, idempotencyKey } = webhooks[member] as WebhookToEnqueue;
        if (idempotencyKey !== undefined)
          keyed.push({ shard, id, member, digest: idempotencyDigest(campaignId, idempotencyKey) });
      }
    }
    const beganAt = performance.now();
    for (let bundles = packed; ; bundles = packed.map(toRecheck)) {
      const before = losses();
      if (keyed.length === 0) await addJobs(bundles.map(toJob));
      else await addOnce(bundles, keyed, ids);
      if (losses() === before) return ids;
      // Who waits has been promised an answer.
      if (performance.now() - beganAt > AGAIN_WITHIN_MS)
        throw new Error('NOREPLICAS the connection was lost while it has written');
    }
  }

  async function enqueueSingle(webhook: WebhookToEnqueue): Promise<string> {
    const shard = shardOf(webhook, shards) ?? Math.floor(performance.now() / SHARD_TURN_MS) % shards;
    const call = { webhook };
    const ids = await singles[shard]?.add(call);
    return ids?.get(call) as string;
  }

  return {
    async enqueue(webhooks) {
      const untilKept = untilReplicated?.begin();
      const [single] = webhooks;
      const ids =
        single !== undefined && webhooks.length === 1 && single.body.length <= SHARED_BODY_MAX
          ? [await enqueueSingle(single)]
          : await enqueueAll(webhooks, () => turn++ % shards);
      // Also of those that an earlier call has enqueued: it may have failed for want of replicas.
      await untilKept?.(shardKeys(options, shardsOf(ids)));
      return ids;
    },

    find: (id) => findWebhook(connection, prefix, queues, id),

    async close() {
      await Promise.all(singles.map((group) => group.drain()));
      await Promise.all(acceptances.map((group) => group.drain()));
      await Promise.all([queues.close(), results.close(), backlog.close()]);
    },
  };
}

function* piecesOf(jobs: readonly JobToAdd[]): Generator<JobToAdd[]> {
  let piece: JobToAdd[] = [];
  let characters = 0;
  for (const job of jobs) {
    const more = job.bundle.webhooks.reduce((sum, { body }) => sum + body.length, 0);
    if (piece.length > 0 && (piece.length >= PIECE_JOBS_MAX || characters + more > PIECE_CHARACTERS_MAX)) {
      yield piece;
      piece = [];
      characters = 0;
    }
    piece.push(job);
    characters += more;
  }
  if (piece.length > 0) yield piece;
}

function shardsOf(ids: readonly string[]): Set<number> {
  return new Set(ids.map((id) => (parseWebhookId(id) as WebhookLocation).shard));
}

interface Keyed {
  readonly shard: number;
  readonly digest: Buffer;
  readonly member: number;
  id: string;
}

/**
 * Takes out of the bundles what an earlier call, or an earlier item of this one, has under the same key, and puts
 * that one's id into `ids`. Where it isn't known whether the earlier call reached the queue, the webhook goes out
 * under its earlier id in a job of its own, which workers claim from.
 */
function leaveOutKnown(
  packed: readonly PackedBundle[],
  keyed: readonly Keyed[],
  found: readonly string[],
  ids: string[],
) {
  const own = new Set(keyed.map(({ id }) => id));
  const known = new Set<number>();
  const unsure: Keyed[] = [];
  const uncommitted: Keyed[] = [];
  for (const [at, key] of keyed.entries()) {
    const value = found[at] ?? '';
    // It has its own id where this call has reserved it and lost its connection then.
    if (value === '' || value === `?${key.id}`) {
      uncommitted.push(key);
      continue;
    }
    known.add(key.member);
    const id = value.replace(/^\?/, '');
    ids[key.member] = id;
    if (value.startsWith('?') && !own.has(id)) {
      const repeated = { ...key, id };
      unsure.push(repeated);
      uncommitted.push(repeated);
    }
  }
  const bodies = new Map(
    packed.flatMap(({ bundle, members }) =>
      members.map((member, i) => [member, { bundle, webhook: bundle.webhooks[i] }] as const),
    ),
  );
  const again = unsure.map(({ id, member }): JobToAdd => {
    const location = parseWebhookId(id);
    const origin = bodies.get(member);
    if (location === undefined || origin?.webhook === undefined)
      throw new Error(`idempotency key holds ${id}, which is no webhook id`);
    const { shard, run, first, index } = location;
    return {
      shard,
      jobId: `${bundleName(run, first)}_${index.toString(36)}_again_${randomBytes(4).toString('hex')}`,
      bundle: { ...origin.bundle, run, first, webhooks: [{ ...origin.webhook, index }] },
    };
  });
  const fresh = packed
    .map((bundle) => withoutMembers(bundle, known))
    .filter(({ bundle }) => bundle.webhooks.length > 0)
    .map(toJob);
  return { jobs: [...fresh, ...again], uncommitted };
}

function withoutMembers({ shard, bundle, members }: PackedBundle, known: ReadonlySet<number>): PackedBundle {
  const webhooks = bundle.webhooks.filter((_, i) => !known.has(members[i] as number));
  return { shard, members: members.filter((member) => !known.has(member)), bundle: { ...bundle, webhooks } };
}

/** Who runs it looks into the log first: it may have been run. */
function toRecheck(packed: PackedBundle): PackedBundle {
  return { ...packed, bundle: { ...packed.bundle, recheck: true } };
}

function webhookIdOf(
  { shard, bundle: { run, first } }: Pick<JobToAdd, 'shard' | 'bundle'>,
  index: number,
): string {
  return formatWebhookId({ shard, run, first, index });
}

function toJob({ shard, bundle }: PackedBundle): JobToAdd {
  return { shard, bundle, jobId: bundleName(bundle.run, bundle.first) };
}

/** The bundle's positions as ranges: one, unless webhooks were left out. */
function toAcceptances({ campaignId, run, first, acceptedAt, deliverAt, webhooks }: Bundle): Acceptance[] {
  const ranges = toPositionRanges(webhooks.map(({ index }) => ({ run, position: first + index })));
  return ranges.map((range) => ({
    campaignId,
    ...range,
    acceptedAt,
    ...(deliverAt !== undefined && { deliverAt }),
  }));
}

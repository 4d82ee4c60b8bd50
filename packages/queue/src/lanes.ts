/**
 * Lanes: virtual queues, one for each channel (or, for inline destinations, each origin), for webhooks that may not
 * be sent now: their destination is limited, failing, paused, or holds more than its share of the workers.
 *
 * A webhook that may be sent travels as before and never sees its lane. One that may not is parked: it leaves the
 * webhooks queue, in a piece of its bundle, and comes back as a job when its lane releases it. So each is picked up
 * twice at most, however long the backlog, and a lane that stands still costs nothing.
 *
 *   bundle's job ──park──▶ the lane's lot ──release──▶ on lease ──add──▶ a job of the piece ──finish──▶ gone
 *
 * If we die between two arrows, the bundle's job runs again and parks the same pieces under the same ids, or the lease
 * grows stale and the piece is released again; its attempt log tells what has been done. Nothing is lost or sent twice
 * by it.
 */
import { createHash } from 'node:crypto';
import { type Bundle, type BundledWebhook, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { noteWaiting } from './attempt-log.ts';
import { campaignFlow } from './campaign-flows.ts';
import type { RedisConnection } from './connection.ts';
import { bundleName, dueLanesKey, laneKeys, parkedKey, shardPrefix } from './keys.ts';
import { onceAvailable } from './once-available.ts';
import { createReadStored, type OnUnreadable } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

export interface LaneLimits {
  /** Webhooks in a piece at most. */
  readonly pieceSize: number;
  /** Milliseconds between webhooks by the lane's rate; 0: no rate. */
  readonly intervalMs: number;
  /** Milliseconds that the lane may run ahead of its rate. */
  readonly burstMs: number;
  /** Attempts in flight over all workers; 0: no limit. */
  readonly concurrency: number;
}

export interface ReleaseOptions {
  readonly limits: LaneLimits;
  readonly webhooksMax: number;
  readonly piecesMax: number;
  /** Where nothing of the lane is in flight, release one piece however heavy it is. */
  readonly begin: boolean;
  /** A first attempt goes before any retry, whatever their turns. */
  readonly probe: boolean;
}

export interface Released {
  readonly webhooks: number;
  /** Webhooks released and not yet finished, by all workers. */
  readonly inFlight: number;
  /** When to look at the lane again; undefined where nothing is left in it. */
  readonly nextInMs: number | undefined;
}

export interface Lanes {
  /** Parks webhooks of a bundle. May be repeated. */
  park(
    shard: number,
    bundle: Bundle,
    lane: string,
    webhooks: readonly BundledWebhook[],
    pieceSize: number,
  ): Promise<void>;
  /** Parks again what a run of the same bundle had parked as this piece. */
  parkAgain(
    shard: number,
    bundle: Bundle,
    lane: string,
    webhooks: readonly BundledWebhook[],
    piece: string,
  ): Promise<void>;
  /** Takes pieces out of the lot, by its limits, and puts them into the webhooks queue. */
  release(lane: string, options: ReleaseOptions): Promise<Released>;
  /** Puts all of a campaign's pieces into the webhooks queue, whatever the limits: it is called off. */
  flush(lane: string, campaignId: string): Promise<void>;
  /** To be called once the piece's webhooks are recorded, before its job is finished. */
  finish(lane: string, piece: string): Promise<void>;
  /** Takes lanes that are due to be looked at, for a second. */
  claimDue(lanesMax: number): Promise<string[]>;
  /** Webhooks parked, by lane. */
  parked(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

const CLAIM_MS = 1_000;
const LOOK_AGAIN_MS = 1_000;

// A few milliseconds of Redis' time.
const FLUSHED_AT_ONCE = 200;

interface StoredPiece {
  readonly shard: number;
  readonly bundle: Bundle;
}

export function openLanes(
  options: ShardOptions & {
    /** The log of a webhook that waits is kept so long. */
    readonly retentionMs: number;
    /** A released piece that is not finished by then is released again. Longer than a job takes. */
    readonly leaseMs: number;
    /** Told of pieces that can't be read: they leave the lane, and are set aside. */
    readonly onError?: OnUnreadable;
  },
): Lanes {
  const { connection, prefix, retentionMs, leaseMs } = options;
  defineScripts(connection);
  const readPiece = createReadStored<StoredPiece>(
    'a piece of a lane',
    options.onError,
    ({ shard, bundle }) =>
      Number.isInteger(shard) && Number(shard) < options.shards && Array.isArray(bundle?.webhooks),
  );
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);

  async function parkPieces(
    shard: number,
    lane: string,
    pieces: readonly Bundle[],
    ids: readonly string[],
  ): Promise<void> {
    const [head] = pieces;
    if (head === undefined) return;
    const waits = pieces.flatMap(({ webhooks }, i) =>
      webhooks.map((webhook) => ({ webhook, piece: ids[i] as string })),
    );
    // First the note, then the lot: a run that finds the note parks the piece again, so none is lost between the two.
    await noteWaiting(connection, shardPrefix(prefix, shard), head, lane, waits, retentionMs);
    const { due, order, data, state, parked, flows } = laneKeys(prefix, lane);
    await runScript(
      connection,
      'parkPieces',
      [due, order, data, state, parked, flows],
      [
        lane,
        ...pieces.flatMap((bundle, i) => [
          ids[i] as string,
          campaignFlow(bundle.campaignId, bundle.attempt > 1),
          bundle.webhooks.length,
          JSON.stringify({ shard, bundle } satisfies StoredPiece),
        ]),
      ],
    );
  }

  /** Takes what a script has released, as ids and pieces in turn, to the webhooks queue. */
  async function add(lane: string, flat: readonly string[], probe: boolean): Promise<number> {
    const released: (StoredPiece & { readonly id: string })[] = [];
    for (let i = 0; i < flat.length; i += 2) {
      const [id, text] = [flat[i] as string, flat[i + 1] as string];
      const piece = readPiece(id, text);
      // It would come back with every lease, and take the others of its release with it.
      if (piece === undefined) await setAside(lane, id, text);
      else released.push({ id, ...piece });
    }
    await Promise.all(
      [...Map.groupBy(released, ({ shard }) => shard)].map(([shard, ofShard]) =>
        onceAvailable(() =>
          queues.of(shard).addBulk(
            ofShard.map(({ id, bundle }) => ({
              name: bundle.campaignId,
              data: { ...bundle, lane, recheck: true, ...(probe && { probe: true }) },
              // At the front: it has waited.
              opts: { jobId: id, lifo: true, removeOnComplete: true, attempts: 1 },
            })),
          ),
        ),
      ),
    );
    return released.reduce((sum, { bundle }) => sum + bundle.webhooks.length, 0);
  }

  async function setAside(lane: string, id: string, text: string): Promise<void> {
    const { aside } = laneKeys(prefix, lane);
    await connection.multi().hset(aside, id, text).pexpire(aside, retentionMs).exec();
    await finish(lane, id);
  }

  async function finish(lane: string, piece: string): Promise<void> {
    const { leases, data, state } = laneKeys(prefix, lane);
    await runScript(connection, 'finishPieces', [leases, data, state], [piece]);
  }

  return {
    async park(shard, bundle, lane, webhooks, pieceSize) {
      const pieces: Bundle[] = [];
      for (let at = 0; at < webhooks.length; at += pieceSize)
        pieces.push(toPiece(bundle, webhooks.slice(at, at + pieceSize)));
      await parkPieces(shard, lane, pieces, pieces.map(pieceId));
    },
    parkAgain: (shard, bundle, lane, webhooks, piece) =>
      parkPieces(shard, lane, [toPiece(bundle, webhooks, partsOf(piece).parked)], [piece]),
    async release(lane, { limits, webhooksMax, piecesMax, begin, probe }) {
      const { due, order, data, state, leases, parked, flows, priorities } = laneKeys(prefix, lane);
      const { intervalMs, burstMs, concurrency } = limits;
      const [nextInMs, inFlight, ...flat] = (await runScript(
        connection,
        'releasePieces',
        [due, order, data, state, parked, leases, flows, priorities],
        [
          lane,
          webhooksMax,
          intervalMs,
          burstMs,
          concurrency,
          leaseMs,
          LOOK_AGAIN_MS,
          piecesMax,
          begin ? '1' : '0',
          probe ? '1' : '0',
        ],
      )) as [number, number, ...string[]];
      const webhooks = await add(lane, flat, probe);
      return { webhooks, inFlight, nextInMs: nextInMs === -1 ? undefined : nextInMs };
    },
    async flush(lane, campaignId) {
      const { due, order, data, state, leases, parked, flows } = laneKeys(prefix, lane);
      let flushed: number;
      do {
        const flat = await runScript(
          connection,
          'flushCampaign',
          [due, order, data, state, parked, leases, flows],
          [lane, FLUSHED_AT_ONCE, campaignFlow(campaignId, false), campaignFlow(campaignId, true)],
        );
        flushed = await add(lane, flat as string[], false);
      } while (flushed > 0);
    },
    finish,
    async claimDue(lanesMax) {
      return (await runScript(
        connection,
        'claimLanes',
        [dueLanesKey(prefix)],
        [lanesMax, CLAIM_MS],
      )) as string[];
    },
    parked: () => readParked(connection, prefix),
    close: queues.close,
  };
}

/** Webhooks parked, by lane. */
export async function readParked(
  connection: RedisConnection,
  prefix: string,
): Promise<ReadonlyMap<string, number>> {
  const counts = await connection.hgetall(parkedKey(prefix));
  return new Map(Object.entries(counts).map(([lane, count]) => [lane, Number(count)]));
}

function toPiece(
  bundle: Bundle,
  webhooks: readonly BundledWebhook[],
  parked = (bundle.parked ?? 0) + 1,
): Bundle {
  const { lane: _lane, probe: _probe, ...rest } = bundle;
  return { ...rest, parked, webhooks: [...webhooks] };
}

/** Names the webhooks, the attempt, and how often they were parked; the script reads the weight off its end. */
function pieceId({ run, first, attempt, parked = 0, webhooks }: Bundle): string {
  const indexes = webhooks.map(({ index }) => index).join();
  const digest = createHash('sha1').update(indexes).digest('base64url').slice(0, 10);
  return `${bundleName(run, first)}_${digest}_${attempt}_${parked}x${webhooks.length}`;
}

function partsOf(piece: string): { attempt: number; parked: number } {
  const [, attempt, parked] = /_(\d+)_(\d+)x\d+$/.exec(piece) ?? [];
  return { attempt: Number(attempt), parked: Number(parked) };
}

/** Was the piece parked by a run of this very bundle's attempt, or by what came of it? */
export function isLaterPiece(piece: string, bundle: Bundle): boolean {
  const { attempt, parked } = partsOf(piece);
  return attempt === bundle.attempt && parked > (bundle.parked ?? 0);
}

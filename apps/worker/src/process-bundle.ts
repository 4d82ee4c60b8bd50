/**
 * What a worker does with a bundle, as in the picture: take it, attempt each webhook, record each outcome, be done.
 *
 *   bundle ──▶ read the log, where somebody may have been here before
 *          ──▶ is its campaign called off? ──▶ count its webhooks as cancelled
 *          ──▶ does its channel send batches? ──▶ gather them: they leave as a bundle of one
 *          ──▶ must its campaign or its destination wait? ──▶ park them
 *          ──▶ for each webhook: slot ──▶ attempt ──▶ record in the log ──▶ slot back ──▶ report
 *          ──▶ finished, or released with some webhooks left
 *
 * If we die here …
 *   before the attempt: the bundle runs again and nothing has happened.
 *   between attempt and record: the attempt is repeated, under the same webhook-id. At most one per slot.
 *   after the record: the next run finds it in the log and reports its retry and its outcome.
 *   after parking: the next run parks the same pieces under the same ids.
 *   after gathering: the next run gathers again, and those that are in their lot stay as they are.
 *   after the last report: the same, and the bundle is finished then.
 */
import {
  type Batching,
  Bundle,
  type BundledWebhook,
  compileValidator,
  type Destination,
  isBatch,
  type Outcome,
  recipientsOf,
  type TraceContext,
  traceOf,
} from '@hookfleet/contract';
import {
  type Batches,
  type BundleLog,
  type BundleRun,
  type BundleRunEnd,
  type CampaignBacklog,
  campaignLane,
  isLaterPiece,
  type KnownControls,
  type LaneLimits,
  type Lanes,
  type LoggedAttempt,
  type LoggedRecord,
  laneOf,
  type OutcomeRecorder,
  outcomeFromLog,
  type SecretBox,
  UnreadableBundleError,
} from '@hookfleet/queue';
import type { AttemptSlots, Release } from './attempt-slots.ts';
import type { AttemptWebhook } from './attempt-webhook.ts';
import type { BatchSender } from './batch-sender.ts';
import type { ChannelCache } from './channel-cache.ts';
import { campaignLimits, laneLimits, NO_LIMITS } from './lane-limits.ts';
import type { LaneScheduler } from './lane-scheduler.ts';

export interface ProcessBundleOptions {
  readonly slots: AttemptSlots;
  readonly channels: ChannelCache;
  readonly attempt: AttemptWebhook;
  readonly recorder: Pick<OutcomeRecorder, 'record' | 'resume' | 'cancel'>;
  readonly controls: Pick<KnownControls, 'isCancelled' | 'of'>;
  readonly lanes: Pick<Lanes, 'park' | 'parkAgain' | 'finish'>;
  readonly backlog: Pick<CampaignBacklog, 'leave'>;
  readonly batches: Pick<Batches, 'gather'>;
  readonly batchSender: Pick<BatchSender, 'gathered'>;
  readonly secrets: Pick<SecretBox, 'open'>;
  readonly scheduler: Pick<
    LaneScheduler,
    'mustWait' | 'mayProbe' | 'parked' | 'recorded' | 'finished' | 'passed'
  >;
  /** The bundle's log; claims its webhooks for the job first where the bundle asks for it. */
  readonly readLog: (run: BundleRun, bundle: Bundle) => Promise<BundleLog>;
  readonly onRecorded: (outcome: Outcome, bundle: Bundle, trace: TraceContext | undefined) => void;
  readonly onCancelled: (bundle: Bundle, webhooks: number) => void;
}

type WebhookEnd = 'finished' | 'released' | 'evicted';

/** A bundle under way, with what its webhooks need. */
interface Work {
  readonly run: BundleRun;
  readonly bundle: Bundle;
  readonly destination: Destination;
  readonly lane: string;
  readonly limits: LaneLimits;
  /** Where its webhooks are to be gathered. */
  readonly batching: Batching | undefined;
}

const validateBundle = compileValidator<Bundle>(Bundle);

export function createProcessBundle(
  options: ProcessBundleOptions,
): (run: BundleRun) => Promise<BundleRunEnd> {
  const { slots, channels, attempt, recorder, controls, lanes, scheduler, batches, batchSender } = options;
  const { backlog, secrets, readLog } = options;
  const { onRecorded, onCancelled } = options;

  async function processWebhook(work: Work, webhook: BundledWebhook): Promise<WebhookEnd> {
    const { run, bundle, lane } = work;
    // A piece that its lane has released stays: it would only come back.
    const slot = await slots.acquire(lane, {
      signal: run.signal,
      evictable: bundle.lane !== lane,
      isRetry: bundle.attempt > 1,
      bytes: Buffer.byteLength(webhook.body),
    });
    if (slot === 'aborted') return 'released';
    if (slot === 'evicted') return 'evicted';
    const { reported } = await attemptInSlot(work, webhook, slot);
    await reported;
    return 'finished';
  }

  /** Resolves when the attempt is logged and the slot is free again. */
  async function attemptInSlot(work: Work, webhook: BundledWebhook, release: Release): Promise<LoggedRecord> {
    const { run, bundle, destination, lane } = work;
    let answer: Parameters<Release>[0] = 'answered';
    try {
      const recorded = await attempt(run.shard, bundle, webhook, destination);
      if (recorded.outcome.reason === 'timeout') answer = 'silent';
      const logged = await recorder.record(run.shard, bundle, webhook, recorded);
      onRecorded(recorded.outcome, bundle, recorded.trace);
      const settled = scheduler.recorded(lane, recorded.outcome, {
        wasProbe: bundle.probe === true,
        retryAfterMs: recorded.retryAfterMs,
      });
      if (bundle.probe) await settled;
      return logged;
    } finally {
      release(answer);
      run.settled(1);
    }
  }

  async function park(
    { run, bundle }: Work,
    lane: string,
    { pieceSize }: LaneLimits,
    webhooks: readonly BundledWebhook[],
  ): Promise<void> {
    if (webhooks.length === 0) return;
    await lanes.park(run.shard, bundle, lane, webhooks, pieceSize);
    run.settled(webhooks.length);
    scheduler.parked(lane);
  }

  /** Of what was parked by an earlier run of this job, the same pieces: they may be gone, or may never have got there. */
  async function parkAgain({ run, bundle }: Work, parked: ReadonlyMap<string, ParkedPiece>): Promise<void> {
    for (const { piece, lane, webhooks } of parked.values()) {
      await lanes.parkAgain(run.shard, bundle, lane, webhooks, piece);
      run.settled(webhooks.length);
      scheduler.parked(lane);
    }
  }

  async function gather({ run, bundle }: Work, webhooks: readonly BundledWebhook[], batching: Batching) {
    const lots = await batches.gather(run.shard, bundle, webhooks, batching);
    run.settled(webhooks.length);
    batchSender.gathered(bundle.campaignId, lots);
  }

  async function cancel({ run, bundle }: Work, webhooks: readonly BundledWebhook[]): Promise<void> {
    if (webhooks.length === 0) return;
    await recorder.cancel(run.shard, bundle, webhooks);
    onCancelled(
      bundle,
      webhooks.reduce((sum, webhook) => sum + recipientsOf(webhook), 0),
    );
    run.settled(webhooks.length);
  }

  function inlineDestination({ destination, sealedDestination = '' }: Bundle): Destination {
    return destination ?? (JSON.parse(secrets.open(sealedDestination)) as Destination);
  }

  async function processWebhooks(work: Work, webhooks: readonly BundledWebhook[]): Promise<BundleRunEnd> {
    if (webhooks.length === 0) return 'finished';
    const { bundle, batching } = work;
    if (batching !== undefined) {
      await gather(work, webhooks, batching);
      return 'finished';
    }
    const ofCampaign = campaignLane(bundle.campaignId);
    const limits = campaignLimits(controls.of(bundle.campaignId));
    const isReleased = bundle.lane === ofCampaign || bundle.passedCampaign === true;
    if (scheduler.mustWait(ofCampaign, limits, isReleased)) {
      await park(work, ofCampaign, limits, webhooks);
      return 'finished';
    }
    return sendWebhooks(
      isReleased ? { ...work, bundle: { ...bundle, passedCampaign: true } } : work,
      webhooks,
    );
  }

  /** All at once, but for a probe: then the first alone, and the others if the circuit has closed by then. */
  async function sendWebhooks(work: Work, webhooks: readonly BundledWebhook[]): Promise<BundleRunEnd> {
    const { bundle, lane, limits } = work;
    const first = bundle.probe && scheduler.mayProbe(lane) ? webhooks.slice(0, 1) : [];
    const firstEnds = await Promise.all(first.map((webhook) => processWebhook(work, webhook)));
    const others = webhooks.slice(first.length);
    if (scheduler.mustWait(lane, limits, bundle.lane === lane) && !firstEnds.includes('released')) {
      await park(work, lane, limits, others);
      return 'finished';
    }
    // All are waited for, also where one throws: a bundle that is set aside must have nothing in flight.
    const evicted: BundledWebhook[] = [];
    let parking: Promise<void> | undefined;
    const ends = await Promise.allSettled([
      ...firstEnds,
      ...others.map(async (webhook) => {
        const end = await processWebhook(work, webhook);
        if (end !== 'evicted') return end;
        evicted.push(webhook);
        // Those of a bundle are evicted together, and leave together.
        parking ??= Promise.resolve().then(() => {
          parking = undefined;
          return park(work, lane, limits, evicted.splice(0));
        });
        await parking;
        return end;
      }),
    ]);
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return ends.some((end) => end.status === 'fulfilled' && end.value === 'released')
      ? 'released'
      : 'finished';
  }

  /** For a webhook that this bundle's attempt is recorded of: what follows a record may be missing. */
  async function resume(
    { run, bundle, destination }: Work,
    webhook: BundledWebhook,
    logged: readonly LoggedAttempt[],
  ): Promise<void> {
    const recorded = logged.find((entry) => entry.attempt === bundle.attempt) as LoggedAttempt;
    const goesOn = logged.some((entry) => entry.attempt > bundle.attempt);
    await recorder.resume(run.shard, bundle, webhook, {
      outcome: outcomeFromLog(run.shard, bundle, webhook, recorded, destination.eventProperties),
      nextAttemptAtMs: goesOn ? undefined : recorded.nextAttemptAtMs,
      trace: traceOf(bundle, webhook),
    });
    run.settled(1);
  }

  return async (run) => {
    const given = readBundle(run.data);
    if (!run.repeated && joinedBacklog(given))
      backlog.leave(run.shard, given.campaignId, given.webhooks.length, given.attempt > 1);
    const channel =
      given.channelConfigId === undefined ? undefined : await channels.get(given.channelConfigId);
    const destination = channel ?? inlineDestination(given);
    const limits = channel === undefined ? NO_LIMITS : laneLimits(channel);
    const lane = laneOf(given.channelConfigId, destination.url);
    const somebodyWasHere = run.repeated || given.claim === true || given.recheck === true;
    const log = somebodyWasHere ? await readLog(run, given) : undefined;
    // Once claimed, the claim goes with the webhooks, into their lane too.
    const bundle = given.claim ? { ...given, claimedBy: given.claimedBy ?? run.jobId } : given;
    // What was attempted by itself already goes on by itself.
    const batching = isBatch(bundle) || bundle.attempt > 1 ? undefined : channel?.batch;
    const work: Work = { run, bundle, destination, lane, limits, batching };
    const { left, calledOff, recorded, parked } = sortWebhooks(
      bundle,
      log,
      controls.isCancelled(bundle.campaignId),
    );
    const [end] = await Promise.all([
      processWebhooks(work, left),
      cancel(work, calledOff),
      parkAgain(work, parked),
      ...recorded.map(({ webhook, logged }) => resume(work, webhook, logged)),
    ]);
    if (end === 'finished' && bundle.lane !== undefined) {
      await lanes.finish(bundle.lane, run.jobId);
      if (bundle.lane === lane) scheduler.finished(lane, limits);
      // What was not attempted here, no recorded attempt tells the lane of.
      if (bundle.lane !== lane || calledOff.length > 0) scheduler.passed(bundle.lane, bundle.webhooks.length);
    }
    return end;
  };
}

/** What came from a lane, a batch or a replay was not counted when it joined the queue. */
function joinedBacklog(bundle: Bundle): boolean {
  const isReplay = bundle.attempt - 1 === bundle.attemptsBefore;
  return bundle.lane === undefined && !isReplay && !(isBatch(bundle) && bundle.attempt === 1);
}

interface ParkedPiece {
  readonly piece: string;
  readonly lane: string;
  readonly webhooks: BundledWebhook[];
}

/** What is to be done for each of a bundle's webhooks, by its log. Those that another job has claimed are not ours. */
function sortWebhooks(bundle: Bundle, log: BundleLog | undefined, isCancelled: boolean) {
  const left: BundledWebhook[] = [];
  const calledOff: BundledWebhook[] = [];
  const recorded: { webhook: BundledWebhook; logged: readonly LoggedAttempt[] }[] = [];
  const parked = new Map<string, ParkedPiece>();
  for (const webhook of bundle.webhooks) {
    const claim = log?.claims.get(webhook.index);
    if (bundle.claim && claim !== undefined && claim !== bundle.claimedBy) continue;
    if (log?.batched.has(webhook.index)) continue;
    const logged = log?.attempts.get(webhook.index) ?? [];
    const place = log?.waits.get(webhook.index);
    if (logged.some((entry) => entry.attempt === bundle.attempt)) recorded.push({ webhook, logged });
    else if (place !== undefined && isLaterPiece(place.piece, bundle)) {
      const piece = parked.get(place.piece) ?? { ...place, webhooks: [] };
      piece.webhooks.push(webhook);
      parked.set(place.piece, piece);
    } else if (isCancelled || log?.cancelled.has(webhook.index)) calledOff.push(webhook);
    else left.push(webhook);
  }
  return { left, calledOff, recorded, parked };
}

/** A job is only as trustworthy as whoever can write to Redis. */
function readBundle(data: unknown): Bundle {
  const checked = validateBundle(data);
  if ('errors' in checked) {
    throw new UnreadableBundleError(
      `not a bundle: ${checked.errors.map(({ field, detail }) => `${field} ${detail}`).join(', ')}`,
    );
  }
  const { channelConfigId, destination, sealedDestination } = checked.value;
  if ([channelConfigId, destination, sealedDestination].filter((one) => one !== undefined).length !== 1) {
    throw new UnreadableBundleError('not a bundle: exactly one of channelConfigId and destination is needed');
  }
  return checked.value;
}

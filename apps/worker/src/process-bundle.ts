/**
 * What a worker does with a bundle, as in the picture: take it, attempt each webhook, record each outcome, be done.
 *
 *   bundle ──▶ taken before its time? ──▶ back to its time
 *          ──▶ read the log, if somebody may have been here before
 *          ──▶ is its campaign cancelled? ──▶ count its webhooks as cancelled
 *          ──▶ does its channel send batches? ──▶ gather them: they leave as a bundle of one
 *          ──▶ send what may be sent (send-webhooks.ts): slot ──▶ attempt ──▶ record in the log ──▶ slot back ──▶ report
 *          ──▶ finished, released to another worker, or waiting in a lane with the webhooks that are left
 *
 * If we die here …
 *   before the attempt: the bundle runs again and nothing has happened.
 *   between attempt and record: the attempt is repeated, under the same webhook-id. At most one per slot.
 *   after the record: the next run finds it in the log and reports its retry and its outcome.
 *   before the bundle waits: the next run decides again.
 *   after gathering: the next run gathers again, and those that are in their lot stay as they are.
 *   after the last report: the same, and the bundle is finished then.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Batching,
  Bundle,
  type BundledWebhook,
  type Channel,
  compileValidator,
  type Destination,
  isBatch,
  recipientsOf,
  traceOf,
} from '@hookfleet/contract';
import {
  type Batches,
  type BundleLog,
  type BundleRun,
  type BundleRunEnd,
  type CampaignBacklog,
  campaignLane,
  type KnownControls,
  laneJobOf,
  type Lanes,
  type LoggedAttempt,
  LOOKED_AT_MS,
  laneOf,
  type LanePair,
  type OutcomeRecorder,
  outcomeFromLog,
  readObject,
  type SecretBox,
  SecretKeyMissingError,
  UnreadableBundleError,
} from '@hookfleet/queue';
import type { BatchSender } from './batch-sender.ts';
import { type ChannelCache, ChannelMissingError } from './channel-cache.ts';
import type { InHand } from './in-hand.ts';
import type { GiveUp } from './give-up.ts';
import { isCancelledNow } from './is-cancelled-now.ts';
import { allOrFirstError } from './all-or-first-error.ts';
import { laneLimits, NO_LIMITS } from './lane-limits.ts';
import type { LaneScheduler } from './lane-scheduler.ts';
import type { Sent, SendWebhooks, Work } from './send-webhooks.ts';

class DestinationUnreadableError extends Error {
  override readonly name = 'DestinationUnreadableError';
}

export interface ProcessBundleOptions {
  readonly channels: ChannelCache;
  readonly send: SendWebhooks;
  readonly inHand: InHand;
  readonly recorder: Pick<OutcomeRecorder, 'resume' | 'cancel'>;
  readonly controls: Pick<KnownControls, 'isCancelled' | 'untilFresh' | 'untilLatest' | 'now'>;
  readonly lanes: Pick<Lanes, 'wait' | 'leave'>;
  readonly backlog: Pick<CampaignBacklog, 'leave'>;
  readonly batches: Pick<Batches, 'gather'>;
  readonly batchSender: Pick<BatchSender, 'gathered'>;
  readonly secrets: Pick<SecretBox, 'open'>;
  readonly scheduler: Pick<LaneScheduler, 'waits'>;
  /** The bundle's log; claims its webhooks for the job first if the bundle asks for it. */
  readonly readLog: (run: BundleRun, bundle: Bundle) => Promise<BundleLog>;
  readonly onCancelled: (bundle: Bundle, webhooks: number) => void;
  readonly giveUp: GiveUp;
  /** From 0 up to 1. */
  readonly random: () => number;
}

// A job that is due in less than this stays with its worker: clocks that differ by a little cost no way back.
const HELD_FOR_MAX_MS = 1_000;
// A bundle whose workers died so often takes its worker down with it.
const DEATHS_MAX = 100;

const validateBundle = compileValidator<Bundle>(Bundle);

export function createProcessBundle(
  options: ProcessBundleOptions,
): (run: BundleRun) => Promise<BundleRunEnd> {
  const { channels, send, inHand, recorder, controls, lanes, scheduler, batches, batchSender } = options;
  const { backlog, secrets, readLog, onCancelled, giveUp, random } = options;

  async function gather(
    { run, bundle }: Work,
    webhooks: readonly BundledWebhook[],
    batching: Batching,
  ): Promise<Sent> {
    const lots = await batches.gather(run.shard, bundle, webhooks, batching);
    run.settled(webhooks.length);
    batchSender.gathered(lots);
    return { left: [], end: 'finished' };
  }

  async function cancel(run: BundleRun, bundle: Bundle, webhooks: readonly BundledWebhook[]): Promise<void> {
    if (webhooks.length === 0) return;
    await recorder.cancel(run.shard, bundle, webhooks);
    onCancelled(
      bundle,
      webhooks.reduce((sum, webhook) => sum + recipientsOf(webhook), 0),
    );
    run.settled(webhooks.length);
  }

  /** Throws SecretKeyMissingError if another worker may read it, and DestinationUnreadableError if nobody can. */
  function inlineDestination({ campaignId, destination, sealedDestination = '' }: Bundle): Destination {
    if (destination !== undefined) return destination;
    let opened: string;
    try {
      opened = secrets.open(sealedDestination, { campaignId });
    } catch (error) {
      if (error instanceof SecretKeyMissingError) throw error;
      throw new DestinationUnreadableError(
        'its encrypted destination was changed, or belongs to another campaign',
      );
    }
    const read = readObject<Destination>(opened, ({ url }) => typeof url === 'string');
    if (read === undefined) throw new DestinationUnreadableError('its encrypted destination is none');
    return read;
  }

  async function findChannel(channelConfigId: string): Promise<Channel | 'missing'> {
    try {
      return await channels.get(channelConfigId);
    } catch (error) {
      if (error instanceof ChannelMissingError) return 'missing';
      throw error;
    }
  }

  /** For a bundle of which nothing else is left. */
  async function cancelAll(
    run: BundleRun,
    bundle: Bundle,
    webhooks: readonly BundledWebhook[],
  ): Promise<BundleRunEnd> {
    await cancel(run, bundle, webhooks);
    await leaveLanes(run, bundle);
    return 'finished';
  }

  /** For a bundle that nobody can send. */
  async function endWithout(
    run: BundleRun,
    bundle: Bundle,
    { left, cancelled, recorded }: SortedWebhooks,
    why: string,
  ): Promise<BundleRunEnd> {
    await allOrFirstError([
      giveUp(run.shard, bundle, left, why),
      cancel(run, bundle, cancelled),
      ...recorded.map((one) => resume(run, bundle, {}, one)),
    ]);
    run.settled(left.length);
    await leaveLanes(run, bundle);
    return 'finished';
  }

  async function leaveLanes(run: BundleRun, bundle: Bundle): Promise<void> {
    if (!run.repeated) return;
    let url = '';
    try {
      if (bundle.channelConfigId === undefined) ({ url } = inlineDestination(bundle));
    } catch {
      // This worker can't read it: the lane finds that the job is gone when it is looked at.
      return;
    }
    await lanes.leave(lanesOf(bundle, url), run);
  }

  /** The bundle's destination as it is now, whenever it is asked for. */
  function destinationOf(bundle: Bundle): Work['destination'] {
    const { channelConfigId } = bundle;
    if (channelConfigId === undefined) {
      const inline = { destination: inlineDestination(bundle), limits: NO_LIMITS };
      return () => Promise.resolve(inline);
    }
    return async () => {
      const channel = await channels.get(channelConfigId);
      return { destination: channel, limits: laneLimits(channel) };
    };
  }

  /** For a webhook that this bundle's attempt is recorded of: what follows a record may be missing. */
  async function resume(
    run: BundleRun,
    bundle: Bundle,
    { eventProperties }: Pick<Destination, 'eventProperties'>,
    { webhook, logged }: RecordedWebhook,
  ): Promise<void> {
    const recorded = logged.find((entry) => entry.attempt === bundle.attempt) as LoggedAttempt;
    const goesOn = logged.some((entry) => entry.attempt > bundle.attempt);
    await recorder.resume(run.shard, bundle, webhook, {
      outcome: outcomeFromLog(run.shard, bundle, webhook, recorded, eventProperties),
      nextAttemptAtMs: goesOn ? undefined : recorded.nextAttemptAtMs,
      trace: traceOf(bundle, webhook),
    });
    run.settled(1);
  }

  async function endOf({ run, bundle, lanes: pair }: Work, { left, end }: Sent): Promise<BundleRunEnd> {
    if (end === 'released') return 'released';
    if (end === 'finished') {
      if (run.repeated) await lanes.leave(pair, run);
      return 'finished';
    }
    await lanes.wait(pair, end, laneJobOf(run.shard, run.jobId, bundle, left));
    scheduler.waits(end.lane);
    // Its lane brings it back before that.
    return { dueInMs: Math.round(LOOKED_AT_MS * (0.5 + random())), left };
  }

  return async (run) => {
    const given = readBundle(run.data);
    await controls.untilFresh(given.controlsVersion);
    const isCancelled = await isCancelledNow(controls, given);
    const earlyMs = isCancelled ? 0 : Math.ceil(dueAtOf(given) - controls.now());
    if (earlyMs > HELD_FOR_MAX_MS) return { dueInMs: earlyMs };
    if (earlyMs > 0) await sleep(earlyMs, undefined, { signal: run.signal }).catch(() => undefined);
    if (!run.repeated && joinedBacklog(given))
      backlog.leave(run.shard, given.campaignId, given.webhooks.length, given.attempt > 1);
    const somebodyWasHere = run.repeated || given.claim === true || given.recheck === true;
    const log = somebodyWasHere ? await readLog(run, given) : undefined;
    // Once claimed, the claim goes with the webhooks.
    const bundle = given.claim ? { ...given, claimedBy: given.claimedBy ?? run.jobId } : given;
    const sorted = sortWebhooks(bundle, log, isCancelled);
    // Nobody needs to know where they would have gone: a worker that cannot read that can cancel them.
    if (sorted.left.length === 0 && sorted.recorded.length === 0)
      return cancelAll(run, bundle, sorted.cancelled);
    const { channelConfigId } = bundle;
    const channel = channelConfigId === undefined ? undefined : await findChannel(channelConfigId);
    if (channel === 'missing')
      return endWithout(run, bundle, sorted, `channel ${channelConfigId} is not stored`);
    if (run.deaths > DEATHS_MAX)
      return endWithout(run, bundle, sorted, `${run.deaths} workers died while they had it`);
    let destination: Work['destination'];
    try {
      destination = destinationOf(bundle);
    } catch (error) {
      if (error instanceof DestinationUnreadableError) return endWithout(run, bundle, sorted, error.message);
      throw error;
    }
    const asFound = channel ?? (await destination()).destination;
    const pair = lanesOf(bundle, asFound.url);
    const held = inHand.add(pair);
    try {
      const work: Work = {
        run,
        bundle,
        lanes: pair,
        held,
        destination,
        cancel: (webhooks) => cancel(run, bundle, webhooks),
      };
      const { left, cancelled, recorded } = sorted;
      // What was attempted by itself already goes on by itself.
      const batching = isBatch(bundle) || bundle.attempt > 1 ? undefined : channel?.batch;
      const sent =
        batching === undefined || left.length === 0 ? send(work, left) : gather(work, left, batching);
      // All are waited for, also if one throws: a job that goes must have nothing in flight.
      await allOrFirstError<unknown>([
        sent,
        cancel(run, bundle, cancelled),
        ...recorded.map((one) => resume(run, bundle, asFound, one)),
      ]);
      return await endOf(work, await sent);
    } finally {
      held.end();
    }
  };
}

/** When the bundle's attempt is due; 0 for one that is due from its acceptance. */
function dueAtOf({ attempt, deliverAt = 0, dueAt = 0 }: Bundle): number {
  return attempt === 1 ? deliverAt : dueAt;
}

/** What comes from a batch or a replay was not counted when it joined the queue. */
function joinedBacklog(bundle: Bundle): boolean {
  const isReplay = bundle.attempt - 1 === bundle.attemptsBefore;
  return !isReplay && !(isBatch(bundle) && bundle.attempt === 1);
}

/** `url`: of an inline destination. */
function lanesOf({ campaignId, channelConfigId }: Bundle, url: string): LanePair {
  return { campaign: campaignLane(campaignId), destination: laneOf(channelConfigId, url) };
}

interface SortedWebhooks {
  readonly left: readonly BundledWebhook[];
  readonly cancelled: readonly BundledWebhook[];
  readonly recorded: readonly RecordedWebhook[];
}

interface RecordedWebhook {
  readonly webhook: BundledWebhook;
  readonly logged: readonly LoggedAttempt[];
}

/** What is to be done for each of a bundle's webhooks, by its log. Those that another job has claimed are not ours. */
function sortWebhooks(bundle: Bundle, log: BundleLog | undefined, isCancelled: boolean): SortedWebhooks {
  const left: BundledWebhook[] = [];
  const cancelled: BundledWebhook[] = [];
  const recorded: RecordedWebhook[] = [];
  for (const webhook of bundle.webhooks) {
    const claim = log?.claims.get(webhook.index);
    if (bundle.claim && claim !== undefined && claim !== bundle.claimedBy) continue;
    if (log?.batched.has(webhook.index)) continue;
    const logged = log?.attempts.get(webhook.index) ?? [];
    if (logged.some((entry) => entry.attempt === bundle.attempt)) recorded.push({ webhook, logged });
    // A replay is asked for after its webhook ended: an earlier cancellation does not stop it.
    else if (isCancelled || (bundle.attemptsBefore === undefined && log?.cancelled.has(webhook.index)))
      cancelled.push(webhook);
    else left.push(webhook);
  }
  return { left, cancelled, recorded };
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

/**
 * Sends the webhooks of a bundle that may be sent, and says what becomes of the others.
 *
 * Whether a webhook may be sent is decided here and nowhere else, when it has its slot and the request would begin:
 *
 *   slot ──▶ is the worker stopping? its campaign cancelled, or paused? its destination paused, or its circuit open?
 *        ──▶ has either a limit? ──▶ ask the lanes, which take what the limits allow (lane.lua)
 *        ──▶ attempt, to the destination as it is now
 *
 * Controls, circuits and channels are 50 ms old at most then (known-controls.ts). A bundle that meets a limit goes on one
 * grant at a time; one without limits has all its webhooks wait for slots at once.
 *
 * What may not be sent stays with its job. The job waits in a lane when its webhooks in flight have ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  AttemptCause,
  Bundle,
  BundledWebhook,
  Destination,
  Outcome,
  TraceContext,
} from '@hookfleet/contract';
import {
  type BundleRun,
  type KnownControls,
  laneJobOf,
  type LaneLimits,
  type LanePair,
  type Lanes,
  type OutcomeRecorder,
  type Wait,
} from '@hookfleet/queue';
import { allOrFirstError } from './all-or-first-error.ts';
import type { AttemptSlots, Release } from './attempt-slots.ts';
import type { AttemptWebhook } from './attempt-webhook.ts';
import type { HeldBundle } from './in-hand.ts';
import { isCancelledNow } from './is-cancelled-now.ts';
import { campaignLimits, isLimited, paceOf } from './lane-limits.ts';
import type { LaneScheduler } from './lane-scheduler.ts';
import type { Permits } from './permits.ts';

/** A bundle under way, with what its webhooks need. */
export interface Work {
  readonly run: BundleRun;
  readonly bundle: Bundle;
  readonly lanes: LanePair;
  readonly held: HeldBundle;
  /** As it is now. */
  readonly destination: () => Promise<{ readonly destination: Destination; readonly limits: LaneLimits }>;
  /** Counts webhooks as cancelled. */
  readonly cancel: (webhooks: readonly BundledWebhook[]) => Promise<void>;
}

export interface Sent {
  /** What was not sent. */
  readonly left: readonly BundledWebhook[];
  /** `released`: the worker stops. Else what the rest waits for. */
  readonly end: 'finished' | 'released' | Wait;
}

export type SendWebhooks = (work: Work, webhooks: readonly BundledWebhook[]) => Promise<Sent>;

export interface SendWebhooksOptions {
  readonly slots: AttemptSlots;
  readonly attempt: AttemptWebhook;
  readonly recorder: Pick<OutcomeRecorder, 'record'>;
  readonly controls: Pick<KnownControls, 'isCancelled' | 'of' | 'circuitOf' | 'untilFresh' | 'untilLatest'>;
  readonly lanes: Pick<Lanes, 'admit' | 'begin'>;
  readonly permits: Permits;
  readonly scheduler: Pick<LaneScheduler, 'recorded' | 'maybeGoesOn' | 'hasWaiting'>;
  readonly onRecorded: (
    outcome: Outcome,
    bundle: Bundle,
    trace: TraceContext | undefined,
    cause?: AttemptCause,
  ) => void;
}

type Unsent = 'released' | 'cancelled' | Wait;

interface Sendable {
  readonly destination: Destination;
  readonly limits: LaneLimits;
  readonly campaignLimits: LaneLimits;
  /** A limit or a probe: the lanes decide. */
  readonly asksLanes: boolean;
}

interface Round {
  readonly left: readonly BundledWebhook[];
  /** `again`: a limit was set meanwhile, or removed. */
  readonly end: 'again' | 'released' | Wait;
}

// A lane whose destination has all its slots is looked at again after this, if none of them is given back before.
const BUSY_LOOK_MS = 250;
// A bundle whose turn it is stays for so long while the rate lets its webhooks go one after the other: as long as a lane lets
// a bundle have the rate for itself (lane.lua). Through the lane, each would be some 25 ms late, which a rate with a small burst
// never makes good.
const TURN_MS = 250;

export function createSendWebhooks(options: SendWebhooksOptions): SendWebhooks {
  const { slots, attempt, recorder, controls, lanes, permits, scheduler, onRecorded } = options;
  const withoutPermit = new Map<string, number>();
  const inFlight = new Map<Work, number>();

  /** Rejects with Redis' error. */
  async function mayBegin(work: Work): Promise<Unsent | Sendable> {
    const { run, bundle } = work;
    const { campaign, destination: lane } = work.lanes;
    await controls.untilFresh();
    if (run.signal.aborted) return 'released';
    if (await isCancelledNow(controls, bundle)) return 'cancelled';
    if (controls.circuitOf(campaign) !== undefined) return { lane: campaign, reason: 'paused', lookInMs: 0 };
    const circuit = controls.circuitOf(lane);
    if (circuit?.state === 'paused') return { lane, reason: 'paused', lookInMs: 0 };
    // A probe is a job that waits.
    if (circuit !== undefined && !run.repeated) return { lane, reason: 'circuit', lookInMs: 0 };
    const { destination, limits } = await work.destination();
    const ofCampaign = campaignLimits(controls.of(bundle.campaignId));
    const asksLanes = circuit !== undefined || isLimited(ofCampaign) || isLimited(limits);
    return { destination, limits, campaignLimits: ofCampaign, asksLanes };
  }

  /** What waits for slots of the destination goes before what comes, unless there is room for both. */
  function mustLetOthersPass({ run, lanes: { destination } }: Work, webhooks: number): boolean {
    return !run.repeated && scheduler.hasWaiting(destination) && slots.roomOf(destination) < webhooks;
  }

  async function slotFor(work: Work, webhook: BundledWebhook): Promise<Release | Unsent> {
    const { run, bundle, held } = work;
    const lane = work.lanes.destination;
    const needed = { isRetry: bundle.attempt > 1, bytes: Buffer.byteLength(webhook.body) };
    for (;;) {
      // Most get one at once, and need no signal to end a wait.
      const free = run.signal.aborted ? undefined : slots.tryAcquire(lane, needed);
      if (free !== undefined) return free;
      const slot = await slots.acquire(lane, {
        ...needed,
        signal: AbortSignal.any([run.signal, held.changed()]),
        // What has waited in its lane would only come back, and what is in flight holds the job here.
        evictable: () => !run.repeated && !inFlight.has(work),
        // It needs no room then, for it waits for its own destination.
        onSetAside: () => run.settled(1),
      });
      if (slot === 'evicted') return { lane, reason: 'busy', lookInMs: BUSY_LOOK_MS };
      if (slot !== 'aborted') return slot;
      const state = await mayBegin(work);
      if (!isSendable(state)) return state;
    }
  }

  /** A slot with what the webhook needs to be sent, or what becomes of it. */
  async function slotToSend(
    work: Work,
    webhook: BundledWebhook,
  ): Promise<{ readonly slot: Release; readonly state: Sendable } | Unsent> {
    const slot = await slotFor(work, webhook);
    if (typeof slot !== 'function') return slot;
    try {
      const state = await mayBegin(work);
      if (isSendable(state)) return { slot, state };
      slot('unused');
      return state;
    } catch (error) {
      slot('unused');
      throw error;
    }
  }

  async function attemptInSlot(
    work: Work,
    webhook: BundledWebhook,
    destination: Destination,
    slot: Release,
    { permit, isProbe }: { readonly permit?: string | undefined; readonly isProbe: boolean },
  ): Promise<void> {
    const { run, bundle } = work;
    const lane = work.lanes.destination;
    let answer: Parameters<Release>[0] = 'answered';
    count(inFlight, work, 1);
    if (permit === undefined) count(withoutPermit, lane, 1);
    let reported: Promise<void>;
    try {
      const recorded = await attempt(run.shard, bundle, webhook, destination);
      if (recorded.outcome.reason === 'timeout') answer = 'silent';
      ({ reported } = await recorder.record(run.shard, bundle, webhook, recorded));
      onRecorded(recorded.outcome, bundle, recorded.trace, recorded.cause);
      const settled = scheduler.recorded(lane, recorded.outcome, {
        wasProbe: isProbe,
        retryAfterMs: recorded.retryAfterMs,
      });
      if (isProbe) await settled;
    } finally {
      slot(answer);
      run.settled(1);
      count(inFlight, work, -1);
      if (permit === undefined) count(withoutPermit, lane, -1);
      scheduler.maybeGoesOn(lane);
      scheduler.maybeGoesOn(work.lanes.campaign);
    }
    await Promise.all([reported, permit === undefined ? undefined : permits.giveBack(lane, permit)]);
  }

  /** All at once, as slots come. */
  async function sendFreely(work: Work, webhooks: readonly BundledWebhook[]): Promise<Round> {
    const cancelSoon = together(work.cancel);

    async function sendOne(webhook: BundledWebhook): Promise<'ended' | Round['end']> {
      const ready = await slotToSend(work, webhook);
      if (ready === 'cancelled') {
        await cancelSoon(webhook);
        return 'ended';
      }
      if (isUnsent(ready)) {
        work.run.settled(1);
        return ready;
      }
      const { slot, state } = ready;
      if (state.asksLanes) {
        slot('unused');
        return 'again';
      }
      await attemptInSlot(work, webhook, state.destination, slot, { isProbe: false });
      return 'ended';
    }

    const ends = await allOrFirstError(webhooks.map(sendOne));
    return { left: webhooks.filter((_, i) => ends[i] !== 'ended'), end: endOf(ends) };
  }

  /** As many at a time as the lanes grant. */
  async function sendAdmitted(work: Work, webhooks: readonly BundledWebhook[]): Promise<Round> {
    const { run, bundle } = work;
    const lane = work.lanes.destination;
    const left = [...webhooks];
    const sending: Promise<void>[] = [];
    const turnEndsMs = performance.now() + TURN_MS;

    /** Undefined or a number: go on, after so many milliseconds. */
    async function sendSome(): Promise<Round['end'] | number | undefined> {
      const ready = await slotToSend(work, left[0] as BundledWebhook);
      if (ready === 'cancelled') {
        await work.cancel(left.splice(0));
        return undefined;
      }
      if (isUnsent(ready)) return ready;
      const { state } = ready;
      const held = [ready.slot];
      try {
        if (!state.asksLanes) return 'again';
        while (held.length < left.length) {
          const next = left[held.length] as BundledWebhook;
          const slot = slots.tryAcquire(lane, {
            isRetry: bundle.attempt > 1,
            bytes: Buffer.byteLength(next.body),
          });
          if (slot === undefined) break;
          held.push(slot);
        }
        const {
          granted,
          permits: given,
          isProbe,
          wait,
        } = await lanes.admit({
          lanes: work.lanes,
          job: laneJobOf(run.shard, run.jobId, bundle, left),
          wanted: held.length,
          campaignLimits: state.campaignLimits,
          limits: state.limits,
          withoutPermit: withoutPermit.get(lane) ?? 0,
        });
        for (let i = 0; i < granted; i += 1) {
          const [webhook, slot] = [left.shift() as BundledWebhook, held.shift() as Release];
          sending.push(attemptInSlot(work, webhook, state.destination, slot, { permit: given[i], isProbe }));
        }
        if (wait?.reason === 'rate' && wait.lookInMs > 0) {
          const limited = wait.lane === lane ? state.limits : state.campaignLimits;
          const inMs = Math.max(wait.lookInMs, paceOf(limited));
          if (performance.now() + inMs < turnEndsMs) return inMs;
          // Its turn is over: others may go on while it waits for what it has in flight.
          scheduler.maybeGoesOn(wait.lane, inMs);
        } else if (left.length === 0)
          for (const one of Object.values(work.lanes)) scheduler.maybeGoesOn(one, 0);
        return wait;
      } finally {
        for (const slot of held) slot('unused');
      }
    }

    try {
      let end: Round['end'] | undefined;
      while (left.length > 0 && end === undefined) {
        const next = await sendSome();
        if (typeof next !== 'number') end = next;
        else await untilChanged(work, next);
      }
      run.settled(left.length);
      return { left, end: end ?? 'again' };
    } finally {
      // What is in flight is waited for, also if something throws: a job that goes must have nothing in flight.
      await allOrFirstError(sending);
    }
  }

  /** Waits for so long, but for a change of the controls or the worker's stop. */
  async function untilChanged({ run, held }: Work, ms: number): Promise<void> {
    const signal = AbortSignal.any([run.signal, held.changed()]);
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }

  return async (work, webhooks) => {
    let left = webhooks;
    let hasBegun = false;
    while (left.length > 0) {
      const state = await mayBegin(work);
      if (state === 'cancelled') {
        await work.cancel(left);
        break;
      }
      if (isUnsent(state)) return { left, end: state };
      if (!state.asksLanes && mustLetOthersPass(work, left.length))
        return { left, end: { lane: work.lanes.destination, reason: 'busy', lookInMs: BUSY_LOOK_MS } };
      if (work.run.repeated && !state.asksLanes && !hasBegun) {
        await lanes.begin(work.lanes, work.run);
        hasBegun = true;
      }
      const round = state.asksLanes ? await sendAdmitted(work, left) : await sendFreely(work, left);
      left = round.left;
      if (left.length > 0 && round.end !== 'again') return { left, end: round.end };
    }
    return { left: [], end: 'finished' };
  };
}

function isSendable(state: Unsent | Sendable): state is Sendable {
  return typeof state === 'object' && 'asksLanes' in state;
}

function isUnsent<T extends object>(state: Unsent | T): state is Unsent {
  return typeof state === 'string' || 'reason' in state;
}

/** A stop goes before all else, and a reason to wait before another try. */
function endOf(ends: readonly ('ended' | Round['end'])[]): Round['end'] {
  if (ends.includes('released')) return 'released';
  return ends.find((end): end is Wait => typeof end === 'object') ?? 'again';
}

/** Those that are given in the same moment are done together. */
function together<T>(done: (items: readonly T[]) => Promise<void>): (item: T) => Promise<void> {
  let group: { readonly items: T[]; readonly done: Promise<void> } | undefined;
  return (item) => {
    if (group === undefined) {
      const items: T[] = [];
      group = {
        items,
        done: Promise.resolve().then(() => {
          group = undefined;
          return done(items);
        }),
      };
    }
    group.items.push(item);
    return group.done;
  };
}

function count<K>(counts: Map<K, number>, key: K, by: number): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}

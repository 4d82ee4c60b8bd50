/**
 * Brings back what waits in lanes, and changes circuits by the outcomes of attempts.
 *
 * What waits, why, and when to look at it stands in Redis (lanes.ts). A worker looks at lanes that are due, four times a
 * second and when something happens that may let a lane go on: an attempt ended here, a permit was given back. It releases as much
 * as it has room for, so a worker that has just started takes its part at once. What it remembers of lanes only makes it
 * look sooner.
 */
import type { Outcome } from '@hookfleet/contract';
import {
  type Circuit,
  type Circuits,
  campaignOfLane,
  channelOfLane,
  type KnownControls,
  type LaneLimits,
  type Lanes,
} from '@hookfleet/queue';
import type { AttemptSlots } from './attempt-slots.ts';
import { PACE_MAX_MS, paceOf } from './lane-limits.ts';
import { type AttemptEnd, circuitAfter, type Evidence, evidenceAfter, isFailure } from './circuit-breaker.ts';

export const CIRCUIT_STATES = ['closed', 'open', 'paused'] as const satisfies ('closed' | Circuit['state'])[];

export type CircuitState = (typeof CIRCUIT_STATES)[number];

export interface LaneSchedulerOptions {
  readonly lanes: Pick<Lanes, 'release' | 'takeDue'>;
  readonly circuits: Pick<Circuits, 'change'>;
  readonly controls: Pick<KnownControls, 'circuitOf' | 'untilLatest'>;
  readonly slots: Pick<AttemptSlots, 'roomOf' | 'evictCongested'>;
  /** Webhooks that this worker may take in hand beside those that it has. */
  readonly roomInHand: () => number;
  readonly limitsOf: (lane: string) => Promise<LaneLimits>;
  /** Called by the one worker that made the change. */
  readonly onCircuitChanged: (lane: string, state: CircuitState, why: string) => void;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
  /** Called each time the scheduler has read all circuits and controls: they apply from now on. */
  readonly onLooked?: (() => void) | undefined;
  readonly now: () => number;
  /** How often to look for lanes that are due. Default: four times a second. */
  readonly lookEveryMs?: number | undefined;
}

export interface LaneScheduler {
  /** Something waits in the lane, from now on. */
  waits(lane: string): void;
  /** Did something wait in the lane when this worker looked last? */
  hasWaiting(lane: string): boolean;
  /** The lane may go on, now or in so many milliseconds, if something waits in it. */
  maybeGoesOn(lane: string, inMs?: number): void;
  /** An attempt was recorded. Resolves when the circuit is as it should be. */
  recorded(lane: string, outcome: Outcome, attempt: RecordedEnd): Promise<void>;
  stop(): Promise<void>;
}

/** What the lane scheduler must know of an attempt, and its outcome does not tell. */
export type RecordedEnd = Pick<AttemptEnd, 'wasProbe' | 'retryAfterMs'>;

const LOOK_EVERY_MS = 250;
// A lane with a rate is looked at to the millisecond, unless it is in more than this.
const TIMED_MAX_MS = 5_000;
const EVICTION_MS = 20;
const LANES_PER_LOOK = 100;
// Lanes whose evidence is remembered here.
const LANES_MAX = 10_000;
const CHANGE_TRIES = 3;
const UNCHANGED = Promise.resolve();

export function createLaneScheduler(options: LaneSchedulerOptions): LaneScheduler {
  const { lanes, circuits, controls, slots, roomInHand, limitsOf, onCircuitChanged, onError, now } = options;
  const { lookEveryMs = LOOK_EVERY_MS, onLooked } = options;
  /** Of lanes whose circuits are closed. */
  const evidence = new Map<string, Evidence>();
  /** Lanes in which something waited when this worker looked last. */
  const waiting = new Set<string>();
  const timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly atMs: number }>();
  const releasing = new Set<string>();
  const askedAgain = new Set<string>();
  const underWay = new Set<Promise<void>>();
  let stopped = false;

  function inBackground(doing: string, lane: string, work: () => Promise<void>): Promise<void> {
    const done = work()
      .catch((error: Error) => onError(error, { doing, lane }))
      .finally(() => underWay.delete(done));
    underWay.add(done);
    return done;
  }

  /** `wanted`: what is to follow the circuit as it is, or `unchanged`. True if this worker made the change. */
  async function changeCircuit(
    lane: string,
    why: string,
    wanted: (circuit: Circuit | undefined) => Circuit | undefined | 'unchanged',
  ): Promise<boolean> {
    for (let tries = 0; tries < CHANGE_TRIES; tries += 1) {
      const seen = controls.circuitOf(lane);
      const next = wanted(seen);
      if (next === 'unchanged') return false;
      const isChanged = await circuits.change(lane, seen, next);
      // If another worker was here, decide again by what it left.
      await controls.untilLatest();
      if (isChanged) {
        if (seen?.state !== next?.state) onCircuitChanged(lane, next?.state ?? 'closed', why);
        return true;
      }
    }
    return false;
  }

  /** At most one release of a lane at a time; what is asked for meanwhile comes right after it. */
  function release(lane: string): void {
    if (stopped) return;
    if (releasing.has(lane)) return void askedAgain.add(lane);
    clearTimeout(timers.get(lane)?.timer);
    timers.delete(lane);
    releasing.add(lane);
    void inBackground('release', lane, () => releaseNow(lane)).then(() => {
      releasing.delete(lane);
      if (askedAgain.delete(lane)) releaseIn(lane, PACE_MAX_MS);
    });
  }

  /** The soonest of what is asked for counts. */
  function releaseIn(lane: string, delayMs: number): void {
    if (stopped) return;
    const atMs = performance.now() + delayMs;
    const planned = timers.get(lane);
    if (planned !== undefined && planned.atMs <= atMs) return;
    clearTimeout(planned?.timer);
    const timer = setTimeout(() => {
      timers.delete(lane);
      release(lane);
    }, delayMs);
    timers.set(lane, { timer, atMs });
  }

  async function releaseNow(lane: string): Promise<void> {
    const room = campaignOfLane(lane) === undefined ? slots.roomOf(lane) : roomInHand();
    const limits = await limitsOf(lane);
    const lookInMs = await lanes.release(lane, limits, room);
    if (lookInMs === undefined) return void waiting.delete(lane);
    waiting.add(lane);
    // Later than that, whoever looks next finds it due. Of a small burst, what comes while nobody looks is lost.
    if (lookInMs < (limits.intervalMs > 0 ? TIMED_MAX_MS : lookEveryMs))
      releaseIn(lane, Math.max(lookInMs, paceOf(limits)));
  }

  async function lookAround(): Promise<void> {
    await controls.untilLatest();
    onLooked?.();
    for (const lane of await lanes.takeDue(LANES_PER_LOOK)) release(lane);
  }

  let isLooking = false;
  const tick = setInterval(() => {
    // While Redis is slow, one look at a time.
    if (isLooking) return;
    isLooking = true;
    void inBackground('look at lanes', '', lookAround).then(() => {
      isLooking = false;
    });
  }, lookEveryMs);
  const eviction = setInterval(() => slots.evictCongested(), EVICTION_MS);

  function learn(lane: string, end: AttemptEnd): Evidence | undefined {
    // What opened a circuit must not open it again after it closed.
    const isClosed = controls.circuitOf(lane) === undefined;
    const latest = isClosed ? evidenceAfter(evidence.get(lane), end, now()) : undefined;
    // Taken out and put in again: those that were not heard of for longest are forgotten first.
    evidence.delete(lane);
    if (latest !== undefined) evidence.set(lane, latest);
    if (evidence.size > LANES_MAX) evidence.delete(evidence.keys().next().value as string);
    return latest;
  }

  return {
    waits(lane) {
      waiting.add(lane);
    },
    hasWaiting: (lane) => waiting.has(lane),
    maybeGoesOn(lane, inMs = PACE_MAX_MS) {
      if (waiting.has(lane)) releaseIn(lane, inMs);
    },
    recorded(lane, outcome, { wasProbe, retryAfterMs }) {
      const why = outcome.reason ?? outcome.event;
      const end = {
        failed: isFailure(outcome),
        isFirstAttempt: outcome.attempt === 1,
        wasProbe,
        retryAfterMs,
        why,
      };
      const latest = learn(lane, end);
      const after = (circuit: Circuit | undefined): Circuit | undefined | 'unchanged' => {
        if (circuit?.state === 'paused') return 'unchanged';
        if (outcome.reason === 'gone' && channelOfLane(lane) !== undefined)
          return { state: 'paused', sinceMs: now(), why: 'gone' };
        return circuitAfter(circuit, end, latest, now());
      };
      if (after(controls.circuitOf(lane)) === 'unchanged') return UNCHANGED;
      return inBackground('change circuit', lane, async () => {
        const isChanged = await changeCircuit(lane, outcome.reason ?? 'delivered', after);
        if (isChanged && controls.circuitOf(lane) === undefined) release(lane);
      });
    },
    async stop() {
      stopped = true;
      clearInterval(tick);
      clearInterval(eviction);
      for (const { timer } of timers.values()) clearTimeout(timer);
      timers.clear();
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

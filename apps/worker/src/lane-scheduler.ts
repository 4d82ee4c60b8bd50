/**
 * Decides which webhooks are sent now and which wait in their lane, and releases those that wait.
 *
 * A lane is released from
 *   - by its limits, where its channel has any: all of its webhooks pass through it
 *   - by a probe, where its circuit is open
 *   - else as attempts of it end: a success releases three, a failure a half (as TCP's slow start grows its window, and
 *     as attempt-slots.ts does), so a destination that recovers is not swamped, and one that hangs gets nothing
 * and every second somebody looks at each lane that has something parked, so that none is forgotten when a worker dies.
 */
import type { Outcome } from '@hookfleet/contract';
import { type Circuit, type Circuits, channelOfLane, type LaneLimits, type Lanes } from '@hookfleet/queue';
import type { AttemptSlots } from './attempt-slots.ts';
import {
  type AttemptEnd,
  circuitAfter,
  type Evidence,
  evidenceAfter,
  isFailure,
  type OpenCircuit,
  probing,
} from './circuit-breaker.ts';
import { isLimited } from './lane-limits.ts';

export const CIRCUIT_STATES = ['closed', 'open', 'paused'] as const satisfies ('closed' | Circuit['state'])[];

export type CircuitState = (typeof CIRCUIT_STATES)[number];

export interface LaneSchedulerOptions {
  readonly lanes: Pick<Lanes, 'release' | 'claimDue'>;
  readonly circuits: Circuits;
  readonly slots: Pick<AttemptSlots, 'isCongested' | 'isSupplied' | 'evictCongested'>;
  readonly limitsOf: (lane: string) => Promise<LaneLimits>;
  /** Resolves when the campaigns' controls are known as they are now. */
  readonly refreshControls: () => Promise<void>;
  /** Called by the one worker that made the change. */
  readonly onCircuitChanged: (lane: string, state: CircuitState, why: string) => void;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
  /** Called each time the scheduler has read all circuits and controls: they apply from now on. */
  readonly onLooked?: (() => void) | undefined;
  readonly now: () => number;
  /** How often to read circuits and to claim due lanes. */
  readonly lookEveryMs?: number | undefined;
}

export interface LaneScheduler {
  /** Must the lane's webhooks wait, for now? `released`: the lane let them go already. */
  mustWait(lane: string, limits: LaneLimits, released: boolean): boolean;
  /** False where the lane was paused after its probe was released. */
  mayProbe(lane: string): boolean;
  /** Something of the lane was parked. */
  parked(lane: string): void;
  /** An attempt of the lane was recorded. Resolves when the circuit is as it should be. */
  recorded(lane: string, outcome: Outcome, attempt: RecordedEnd): Promise<void>;
  /** Webhooks that the lane released went on, without an attempt that tells it of them. */
  passed(lane: string, webhooks: number): void;
  /** A released piece was finished: where what is in flight is limited, another may go. */
  finished(lane: string, limits: LaneLimits): void;
  stop(): Promise<void>;
}

/** What the lane scheduler must know of an attempt, and its outcome does not tell. */
export type RecordedEnd = Pick<AttemptEnd, 'wasProbe' | 'retryAfterMs'>;

const LOOK_EVERY_MS = 1_000;
const EVICTION_MS = 20;
const LANES_PER_TICK = 100;
// A lane without limits is asked for more no more often than this.
const RELEASE_PAUSE_MS = 25;
const RELEASED_AT_ONCE_MAX = 200;
const CREDIT_MAX = 1_000;
// As many as a success lets the lane's window hold more, and the one that it replaces.
const CREDIT_OF_SUCCESS = 3;
const CREDIT_OF_FAILURE = 0.5;
// Lanes whose evidence is remembered here.
const LANES_MAX = 10_000;
const CHANGE_TRIES = 3;
const UNCHANGED = Promise.resolve();

export function createLaneScheduler(options: LaneSchedulerOptions): LaneScheduler {
  const { lanes, circuits, slots, limitsOf, refreshControls, onCircuitChanged, onError, now } = options;
  const { lookEveryMs = LOOK_EVERY_MS, onLooked } = options;
  let known: ReadonlyMap<string, Circuit> = new Map();
  /** Of lanes whose circuits are closed. */
  const evidence = new Map<string, Evidence>();
  /** Lanes with something parked, as far as this worker knows, and how much more their attempts allow. */
  const credits = new Map<string, number>();
  const timers = new Map<string, NodeJS.Timeout>();
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

  function seeAll(latest: ReadonlyMap<string, Circuit>): void {
    known = latest;
    // What opened a circuit must not open it again after it closed.
    for (const lane of latest.keys()) evidence.delete(lane);
  }

  function see(lane: string, circuit: Circuit | undefined): void {
    const latest = new Map(known);
    if (circuit === undefined) latest.delete(lane);
    else latest.set(lane, circuit);
    seeAll(latest);
  }

  /** `wanted`: what is to follow the circuit as it is, or `unchanged`. True where this worker made the change. */
  async function changeCircuit(
    lane: string,
    why: string,
    wanted: (circuit: Circuit | undefined) => Circuit | undefined | 'unchanged',
  ): Promise<boolean> {
    for (let tries = 0; tries < CHANGE_TRIES; tries += 1) {
      const seen = known.get(lane);
      const next = wanted(seen);
      if (next === 'unchanged') return false;
      if (await circuits.change(lane, seen, next)) {
        see(lane, next);
        if (seen?.state !== next?.state) onCircuitChanged(lane, next?.state ?? 'closed', why);
        return true;
      }
      // Another worker was here: decide again by what it left.
      see(lane, await circuits.get(lane));
    }
    return false;
  }

  /** At most one release of a lane at a time; what is asked for meanwhile comes right after it. */
  function release(lane: string): void {
    if (stopped) return;
    if (releasing.has(lane)) return void askedAgain.add(lane);
    clearTimeout(timers.get(lane));
    timers.delete(lane);
    releasing.add(lane);
    void inBackground('release', lane, () => releaseNow(lane)).then(() => {
      releasing.delete(lane);
      if (askedAgain.delete(lane)) release(lane);
    });
  }

  function releaseIn(lane: string, delayMs: number): void {
    if (stopped || timers.has(lane)) return;
    timers.set(
      lane,
      setTimeout(() => {
        timers.delete(lane);
        release(lane);
      }, delayMs),
    );
  }

  async function releaseNow(lane: string): Promise<void> {
    const circuit = known.get(lane);
    if (circuit?.state === 'paused') return;
    const limits = await limitsOf(lane);
    if (circuit?.state === 'open') return probe(lane, circuit, limits);
    if (slots.isSupplied(lane)) return releaseIn(lane, RELEASE_PAUSE_MS);
    const limited = isLimited(limits);
    const credit = credits.get(lane) ?? 0;
    const { webhooks, nextInMs } = await lanes.release(lane, {
      limits,
      webhooksMax: limited ? RELEASED_AT_ONCE_MAX : Math.min(Math.floor(credit), RELEASED_AT_ONCE_MAX),
      piecesMax: RELEASED_AT_ONCE_MAX,
      begin: true,
      probe: false,
    });
    if (nextInMs === undefined) return void credits.delete(lane);
    credits.set(lane, Math.max(0, (credits.get(lane) ?? 0) - webhooks));
    if (limited) releaseIn(lane, webhooks >= RELEASED_AT_ONCE_MAX ? 0 : nextInMs);
  }

  async function probe(lane: string, circuit: OpenCircuit, limits: LaneLimits): Promise<void> {
    const nowMs = now();
    if (nowMs < circuit.probeAtMs) return releaseIn(lane, circuit.probeAtMs - nowMs);
    const isOurs = await changeCircuit(lane, circuit.why, (latest) =>
      latest?.state === 'open' && latest.probeAtMs <= nowMs ? probing(latest, nowMs) : 'unchanged',
    );
    if (!isOurs) return;
    await lanes.release(lane, {
      limits: { ...limits, concurrency: 0 },
      webhooksMax: RELEASED_AT_ONCE_MAX,
      piecesMax: 1,
      begin: true,
      probe: true,
    });
  }

  async function lookAround(): Promise<void> {
    const latest = await circuits.all();
    // A campaign is called off before what its pause held is let go: who sees the lane open must know that first, or
    // would send what it releases.
    await refreshControls();
    seeAll(latest);
    onLooked?.();
    for (const lane of await lanes.claimDue(LANES_PER_TICK)) {
      if (!credits.has(lane)) credits.set(lane, 0);
      release(lane);
    }
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

  function addCredit(lane: string, more: number): void {
    const credit = credits.get(lane);
    if (credit === undefined) return;
    credits.set(lane, Math.min(credit + more, CREDIT_MAX));
    releaseIn(lane, RELEASE_PAUSE_MS);
  }

  function learn(lane: string, end: AttemptEnd): Evidence | undefined {
    if (known.has(lane)) return undefined;
    const latest = evidenceAfter(evidence.get(lane), end, now());
    // Taken out and put in again: those that were not heard of for longest are forgotten first.
    evidence.delete(lane);
    if (latest !== undefined) evidence.set(lane, latest);
    if (evidence.size > LANES_MAX) evidence.delete(evidence.keys().next().value as string);
    return latest;
  }

  return {
    mustWait(lane, limits, released) {
      if (known.has(lane)) return true;
      return !released && (isLimited(limits) || slots.isCongested(lane));
    },
    mayProbe: (lane) => known.get(lane)?.state !== 'paused',
    parked(lane) {
      if (!credits.has(lane)) credits.set(lane, 0);
      releaseIn(lane, 0);
    },
    recorded(lane, outcome, { wasProbe, retryAfterMs }) {
      const failed = isFailure(outcome);
      addCredit(lane, failed ? CREDIT_OF_FAILURE : CREDIT_OF_SUCCESS);
      const why = outcome.reason ?? outcome.event;
      const end = { failed, isFirstAttempt: outcome.attempt === 1, wasProbe, retryAfterMs, why };
      const latest = learn(lane, end);
      const after = (circuit: Circuit | undefined): Circuit | undefined | 'unchanged' => {
        if (circuit?.state === 'paused') return 'unchanged';
        if (outcome.reason === 'gone' && channelOfLane(lane) !== undefined)
          return { state: 'paused', sinceMs: now(), why: 'gone' };
        return circuitAfter(circuit, end, latest, now());
      };
      if (after(known.get(lane)) === 'unchanged') return UNCHANGED;
      return inBackground('change circuit', lane, async () => {
        const isChanged = await changeCircuit(lane, outcome.reason ?? 'delivered', after);
        if (isChanged && !known.has(lane)) release(lane);
      });
    },
    passed(lane, webhooks) {
      addCredit(lane, webhooks * CREDIT_OF_SUCCESS);
    },
    finished(lane, { concurrency }) {
      if (concurrency > 0) release(lane);
    },
    async stop() {
      stopped = true;
      clearInterval(tick);
      clearInterval(eviction);
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

/**
 * HOOKFLEET_CONCURRENCY: attempts in flight in this process, over all bundles. A slot is held until the attempt is
 * recorded, so a killed worker repeats at most so many, and unrecorded outcomes can't pile up while Redis is away.
 *
 * No lane gets all of them: it may hold at most SHARE times as many as are free. Alone that is three quarters of the
 * slots; each further lane finds a share of the rest, however many others hang. (Dynamic thresholds, as switches share
 * their buffers: Choudhury and Hahne, 1998.) Lanes that wait are served in turn.
 *
 * Nor does it get its share before it has shown that it answers: its window begins small, grows by one with each answer
 * and is halved by each time-out (as TCP's congestion window). So a destination that hangs holds few slots, and one that
 * answers has its share after two or three round trips.
 *
 * While first attempts of a lane wait, its retries hold a quarter of its slots at most: a storm of them leaves room.
 *
 * A lane is congested where it has used up its window or share and is stuck: who waits for it here should leave then,
 * for they hold the room of others. A lane that is only busy frees its slots soon. It stays congested until it has
 * room again, or is as quick as a busy one. Time is the process's own, which stands still while it is held up: a worker
 * that has no time left is no reason to park what it could send.
 */
import type { AttentionClock } from './attention-clock.ts';

export interface AttemptSlots {
  /**
   * Resolves to the slot's release. `aborted` where the signal aborts first; `evicted` where the lane is congested and
   * the caller can leave.
   */
  acquire(lane: string, options: AcquireOptions): Promise<Release | 'aborted' | 'evicted'>;
  /** A slot if one is free for the lane now. */
  tryAcquire(lane: string, isRetry: boolean): Release | undefined;
  inFlight(): number;
  /** Slots that the lane may have beside those that it has and that are wanted for it. */
  roomOf(lane: string): number;
  /** Sends away who waits for a congested lane and can leave. To be called every so often. */
  evictCongested(): void;
}

/** Gives a slot back. `silent`: the destination did not answer in time. `unused`: nothing was sent. */
export type Release = (end: 'answered' | 'silent' | 'unused') => void;

export interface AcquireOptions {
  readonly signal: AbortSignal;
  /** May the caller leave if the lane is congested? Asked then. */
  readonly evictable: () => boolean;
  /** Called once if the lane is congested and the caller stays: it waits for its own lane, and holds up no other. */
  readonly onSetAside: () => void;
  readonly isRetry: boolean;
}

// Three quarters of the slots for a lane that is alone, a third of what is left for each of three others.
const SHARE = 3;
// A lane is stuck where somebody has waited for so long and none of its attempts has ended in that time …
const SILENCE_MAX_MS = 40;
// … or, though some do end, where somebody has waited for so long.
const WAIT_MAX_MS = 250;
// It is unstuck when its attempts end so often: what fits in hand is then served within that time.
const END_INTERVAL_MAX_MS = 5;
const INTERVAL_WEIGHT = 0.1;
// Of a lane's slots, where first attempts want them.
const RETRY_SHARE = 1 / 4;

interface Waiter extends Pick<AcquireOptions, 'evictable' | 'onSetAside' | 'isRetry'> {
  isSetAside: boolean;
  readonly sinceMs: number;
  readonly answer: (answer: Release | 'aborted' | 'evicted') => void;
}

const WINDOW_FIRST = 32;
const WINDOW_MIN = 4;

interface Lane {
  inFlight: number;
  retriesInFlight: number;
  window: number;
  /** In the order of their coming. */
  readonly waiting: Set<Waiter>;
  readonly waitingRetries: Set<Waiter>;
  lastEndMs: number;
  /** Between the ends of its attempts, of late. */
  endIntervalMs: number;
  isCongested: boolean;
}

export function createAttemptSlots(slotsMax: number, now: AttentionClock['now']): AttemptSlots {
  const lanes = new Map<string, Lane>();
  // Those with waiters, in the order in which they are served next.
  const turns = new Set<string>();
  let inFlight = 0;

  function laneAt(name: string): Lane {
    let lane = lanes.get(name);
    if (lane === undefined) {
      lane = {
        inFlight: 0,
        retriesInFlight: 0,
        window: WINDOW_FIRST,
        waiting: new Set(),
        waitingRetries: new Set(),
        lastEndMs: now(),
        endIntervalMs: 0,
        isCongested: false,
      };
      lanes.set(name, lane);
    }
    return lane;
  }

  function mayTake(lane: Lane): boolean {
    return (
      lane.inFlight < lane.window && inFlight < slotsMax && lane.inFlight < SHARE * (slotsMax - inFlight)
    );
  }

  function take(name: string, lane: Lane, isRetry: boolean): Release {
    inFlight += 1;
    lane.inFlight += 1;
    if (isRetry) lane.retriesInFlight += 1;
    let isHeld = true;
    return (end) => {
      if (!isHeld) return;
      isHeld = false;
      if (end === 'answered') lane.window = Math.min(lane.window + 1, slotsMax);
      else if (end === 'silent') lane.window = Math.max(lane.window >> 1, WINDOW_MIN);
      inFlight -= 1;
      lane.inFlight -= 1;
      if (isRetry) lane.retriesInFlight -= 1;
      lane.endIntervalMs += (now() - lane.lastEndMs - lane.endIntervalMs) * INTERVAL_WEIGHT;
      lane.lastEndMs = now();
      serveWaiting();
      forgetIfIdle(name, lane);
    };
  }

  function forgetIfIdle(name: string, lane: Lane): void {
    if (lane.inFlight === 0 && waitersOf(lane) === 0) lanes.delete(name);
  }

  /** One for each lane in turn, as long as any may take one: a slot that is freed may raise several lanes' shares. */
  function serveWaiting(): void {
    let served = true;
    while (served && inFlight < slotsMax) {
      served = false;
      for (const name of [...turns]) {
        const lane = laneAt(name);
        const waiter = nextWaiter(lane);
        if (waiter !== undefined && !mayTake(lane)) continue;
        turns.delete(name);
        if (waiter === undefined) continue;
        setOf(lane, waiter.isRetry).delete(waiter);
        if (waitersOf(lane) > 0) turns.add(name);
        waiter.answer(take(name, lane, waiter.isRetry));
        served = true;
      }
    }
  }

  function isCongested(name: string): boolean {
    const lane = lanes.get(name);
    if (lane === undefined) return false;
    const [[first], [retry]] = [lane.waiting, lane.waitingRetries];
    const waitedMs = now() - Math.min(first?.sinceMs ?? now(), retry?.sinceMs ?? now());
    const isSilent = now() - lane.lastEndMs > SILENCE_MAX_MS;
    const isStuck = waitedMs > WAIT_MAX_MS || (isSilent && waitedMs > SILENCE_MAX_MS);
    const isUnstuck = !isSilent && lane.endIntervalMs < END_INTERVAL_MAX_MS;
    lane.isCongested = !mayTake(lane) && (isStuck || (lane.isCongested && !isUnstuck));
    return lane.isCongested;
  }

  return {
    inFlight: () => inFlight,
    roomOf(name) {
      const lane = lanes.get(name);
      const [held, waiting, window] =
        lane === undefined ? [0, 0, WINDOW_FIRST] : [lane.inFlight, waitersOf(lane), lane.window];
      // Each further one takes one of the free ones: at the end held + room = SHARE * (free - room).
      const free = slotsMax - inFlight;
      const fair = Math.floor((SHARE * free - held) / (SHARE + 1));
      return Math.max(0, Math.min(window - held, fair) - waiting);
    },
    tryAcquire(name, isRetry) {
      const lane = laneAt(name);
      if (waitersOf(lane) === 0 && mayTake(lane)) return take(name, lane, isRetry);
      forgetIfIdle(name, lane);
      return undefined;
    },
    async acquire(name, { signal, evictable, onSetAside, isRetry }) {
      if (signal.aborted) return 'aborted';
      const lane = laneAt(name);
      if (waitersOf(lane) === 0 && mayTake(lane)) return take(name, lane, isRetry);
      const { promise, resolve } = Promise.withResolvers<Release | 'aborted' | 'evicted'>();
      const waiter: Waiter = {
        evictable,
        onSetAside,
        isSetAside: false,
        isRetry,
        sinceMs: now(),
        answer: resolve,
      };
      const waiting = setOf(lane, isRetry);
      const onAbort = () => {
        waiting.delete(waiter);
        forgetIfIdle(name, lane);
        resolve('aborted');
      };
      waiting.add(waiter);
      turns.add(name);
      signal.addEventListener('abort', onAbort, { once: true });
      const answer = await promise;
      signal.removeEventListener('abort', onAbort);
      return answer;
    },
    evictCongested() {
      for (const name of [...turns]) {
        if (!isCongested(name)) continue;
        const lane = laneAt(name);
        for (const waiting of [lane.waiting, lane.waitingRetries]) {
          for (const waiter of waiting) {
            if (waiter.evictable()) {
              waiting.delete(waiter);
              waiter.answer('evicted');
            } else if (!waiter.isSetAside) {
              waiter.isSetAside = true;
              waiter.onSetAside();
            }
          }
        }
        if (waitersOf(lane) === 0) turns.delete(name);
        forgetIfIdle(name, lane);
      }
    },
  };
}

function setOf(lane: Lane, isRetry: boolean): Set<Waiter> {
  return isRetry ? lane.waitingRetries : lane.waiting;
}

function waitersOf({ waiting, waitingRetries }: Lane): number {
  return waiting.size + waitingRetries.size;
}

function nextWaiter({ waiting, waitingRetries, inFlight, retriesInFlight }: Lane): Waiter | undefined {
  const [[first], [retry]] = [waiting, waitingRetries];
  if (first === undefined || retry === undefined) return first ?? retry;
  return retriesInFlight + 1 <= RETRY_SHARE * (inFlight + 1) ? retry : first;
}

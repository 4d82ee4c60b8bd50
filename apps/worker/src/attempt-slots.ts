/**
 * HOOKFLEET_CONCURRENCY: attempts in flight in this process, over all bundles. A slot is held until the attempt is
 * recorded, so a killed worker repeats at most that many, and unrecorded outcomes can't pile up while Redis is away.
 *
 * Slots are used: a lane takes what no other lane wants, all but a small reserve, as long as it gives its slots back
 * within a second. The reserve serves whoever comes next at once, and a second later that lane has its share.
 *
 * Slots are shared: as soon as another lane wants one, or if the lane is slow, it holds at most SHARE times as many as
 * are free. Alone that is three quarters of the slots; each further lane finds a share of the rest, however many others
 * hang. (Dynamic thresholds, as switches share their buffers: Choudhury and Hahne, 1998.) Lanes that wait are served in
 * turn.
 *
 * A lane gets its share once it has shown that it answers. Its window begins small, grows with each answer and is halved
 * by each timeout (as TCP's congestion window). So a destination that hangs holds few slots, and one that answers has its
 * share after two or three round trips.
 *
 * Bodies are shared by the same rule: what a lane has in flight is three quarters at most of the bytes that the process
 * may have in hand (bundle-capacity.ts). Else some large webhooks that a slow destination holds would be all that there
 * is room for.
 *
 * While first attempts of a lane wait, its retries hold a quarter of its slots at most: a storm of them leaves room.
 *
 * A lane is congested when it has used up its window or share and is stuck: who waits for it here should leave then,
 * because they hold the room of others. A few stay if the lane gives its slots back: they fill the next ones that end,
 * and others come from the lane's parking lot meanwhile. A lane that is only busy frees its slots soon. It stays congested
 * until it has room again, or is as quick as a busy one. Time is the process's own, which stands still while the process
 * is held up: a worker that has no time left is no reason to park what it could send.
 */
import type { AttentionClock } from './attention-clock.ts';

export interface AttemptSlots {
  /**
   * Resolves to the slot's release. `aborted` where the signal aborts first; `evicted` where the lane is congested and
   * the caller can leave.
   */
  acquire(lane: string, options: AcquireOptions): Promise<Release | 'aborted' | 'evicted'>;
  /** A slot if one is free for the lane now. */
  tryAcquire(lane: string, webhook: Pick<AcquireOptions, 'isRetry' | 'bytes'>): Release | undefined;
  inFlight(): number;
  /** Webhooks of the lane that wait for a slot here. */
  waitingOf(lane: string): number;
  /** Webhooks that the lane has slots for, or that may wait here for the next ones, beside those that do. */
  roomOf(lane: string): number;
  /** Sends away who waits for a congested lane and can leave, except a few. To be called every so often. */
  evictCongested(): void;
}

/** Gives a slot back. `silent`: the destination did not answer in time. `unused`: nothing was sent. */
export type Release = (end: 'answered' | 'silent' | 'unused') => void;

export interface AcquireOptions {
  readonly signal: AbortSignal;
  /** May the caller leave if the lane is congested? Asked when it is. */
  readonly evictable: () => boolean;
  /** Called once if the lane is congested and the caller stays: it waits for its own lane, and holds up no other. */
  readonly onSetAside: () => void;
  readonly isRetry: boolean;
  /** Of the body. */
  readonly bytes: number;
}

export interface AttemptSlotsOptions {
  readonly slotsMax: number;
  /** Of all bodies that the process may have in hand. */
  readonly bytesMax: number;
  readonly now: AttentionClock['now'];
}

// Three quarters of the slots for a lane that is alone, a third of what is left for each of three others.
const SHARE = 3;
// Of all slots, for the lanes that come while one holds the others.
const RESERVE = 1 / 32;
// A lane that holds none of its slots for longer gives back what others want within that time.
const PROMPT_MAX_MS = 1_000;
// Of what a prompt lane has in flight: this share may wait here for the next free slots, though the lane is congested. They come
// while a quarter of the slots has a waiter, so that a bundle stays together.
const SUPPLIED_SHARE = 1 / 4;
const KEPT_SHARE = 1 / 2;
// Of all bytes: who waits for a lane that has more in flight would soon hold all the others.
const HEAVY_SHARE = 1 / 4;
// Of the default size: while one is fetched, the slots use up the other.
const BUNDLES_AHEAD = 2 * 25;
// A lane is stuck where somebody has waited for so long and none of its attempts has ended in that time …
const SILENCE_MAX_MS = 40;
// … or, though some do end, where somebody has waited for so long.
const WAIT_MAX_MS = 250;
// It is unstuck when its attempts end so often: what fits in hand is then served within that time.
const END_INTERVAL_MAX_MS = 5;
const INTERVAL_WEIGHT = 0.1;
// Of a lane's slots, where first attempts want them.
const RETRY_SHARE = 1 / 4;

interface Waiter extends Pick<AcquireOptions, 'evictable' | 'onSetAside' | 'isRetry' | 'bytes'> {
  isSetAside: boolean;
  readonly sinceMs: number;
  readonly answer: (answer: Release | 'aborted' | 'evicted') => void;
}

const WINDOW_FIRST_MIN = 32;
// Of all slots: with many of them, a distant destination would need more than a second to grow into its share.
const WINDOW_FIRST_SHARE = 1 / 8;
const WINDOW_MIN = 4;
const SMALL_WINDOWS_MAX = 10_000;
// For each answer. A window that is used up is three times as large after a round trip: at a latency of 400 ms, a lane
// that is alone has all slots within a second.
const WINDOW_GROWTH = 2;

/** When an attempt began. */
interface InFlight {
  readonly sinceMs: number;
}

interface Lane {
  /** The oldest first. */
  readonly inFlight: Set<InFlight>;
  bytesInFlight: number;
  retriesInFlight: number;
  window: number;
  /** In the order of their coming. */
  readonly waiting: Set<Waiter>;
  readonly waitingRetries: Set<Waiter>;
  lastEndMs: number;
  /** Between the ends of its attempts, of late. */
  endIntervalMs: number;
  isStuck: boolean;
}

/**
 * How many webhooks a process must have in hand so that its slots are never idle between two fetches: those in the slots,
 * those that congested lanes keep, which is a share of the same slots over all lanes, and the next bundles.
 */
export function webhooksInHandMax(slotsMax: number): number {
  return slotsMax + Math.ceil(slotsMax * KEPT_SHARE) + Math.min(slotsMax, BUNDLES_AHEAD);
}

export function createAttemptSlots({ slotsMax, bytesMax, now }: AttemptSlotsOptions): AttemptSlots {
  const lanes = new Map<string, Lane>();
  // Those with waiters, in the order in which they are served next.
  const turns = new Set<string>();
  // Those of them that their windows let have more: the others wait for nobody but themselves.
  const wanting = new Set<string>();
  // Of lanes that have nothing here now: one that hangs does not start again with a large window each time.
  const smallWindows = new Map<string, number>();
  const reserve = Math.max(1, Math.ceil(slotsMax * RESERVE));
  const windowFirst = Math.max(WINDOW_FIRST_MIN, Math.ceil(slotsMax * WINDOW_FIRST_SHARE));
  let inFlight = 0;
  let bytesInFlight = 0;

  function laneAt(name: string): Lane {
    let lane = lanes.get(name);
    if (lane === undefined) {
      lane = {
        inFlight: new Set(),
        bytesInFlight: 0,
        retriesInFlight: 0,
        window: smallWindows.get(name) ?? windowFirst,
        waiting: new Set(),
        waitingRetries: new Set(),
        lastEndMs: now(),
        endIntervalMs: 0,
        isStuck: false,
      };
      lanes.set(name, lane);
    }
    return lane;
  }

  function mayTake(name: string, lane: Lane): boolean {
    if (lane.inFlight.size >= lane.window || inFlight >= slotsMax) return false;
    // The last one may be too much: so one that is larger than all room is sent, too.
    if (lane.bytesInFlight > 0 && lane.bytesInFlight >= SHARE * (bytesMax - bytesInFlight)) return false;
    if (lane.inFlight.size < SHARE * (slotsMax - inFlight)) return true;
    return inFlight < slotsMax - reserve && isPrompt(lane) && !isWantedByOthers(name);
  }

  /** How many more slots the lane may take, as mayTake would let it one by one, whatever its window. */
  function slotsLeft(name: string, lane: Lane | undefined): number {
    const free = slotsMax - inFlight;
    const held = lane?.inFlight.size ?? 0;
    // With each further one there is one less free: at the end, held + fair = SHARE * (free - fair).
    const fair = Math.ceil((SHARE * free - held) / (SHARE + 1));
    const isAlone = (lane === undefined || isPrompt(lane)) && !isWantedByOthers(name);
    return Math.max(0, fair, isAlone ? free - reserve : 0);
  }

  function isPrompt({ inFlight: [oldest] }: Lane): boolean {
    return oldest === undefined || now() - oldest.sinceMs < PROMPT_MAX_MS;
  }

  function isWantedByOthers(name: string): boolean {
    return wanting.size > (wanting.has(name) ? 1 : 0);
  }

  /** To be called after each change of who waits, of what is in flight, or of the window. */
  function noteWants(name: string, lane: Lane): void {
    if (waitersOf(lane) > 0 && lane.inFlight.size < lane.window) wanting.add(name);
    else wanting.delete(name);
  }

  function take(
    name: string,
    lane: Lane,
    { isRetry, bytes }: Pick<AcquireOptions, 'isRetry' | 'bytes'>,
  ): Release {
    const begun: InFlight = { sinceMs: now() };
    inFlight += 1;
    bytesInFlight += bytes;
    lane.inFlight.add(begun);
    lane.bytesInFlight += bytes;
    if (isRetry) lane.retriesInFlight += 1;
    noteWants(name, lane);
    return (end) => {
      if (!lane.inFlight.delete(begun)) return;
      if (end === 'answered') lane.window = Math.min(lane.window + WINDOW_GROWTH, slotsMax);
      else if (end === 'silent') lane.window = Math.max(lane.window >> 1, WINDOW_MIN);
      inFlight -= 1;
      bytesInFlight -= bytes;
      lane.bytesInFlight -= bytes;
      if (isRetry) lane.retriesInFlight -= 1;
      noteWants(name, lane);
      lane.endIntervalMs += (now() - lane.lastEndMs - lane.endIntervalMs) * INTERVAL_WEIGHT;
      lane.lastEndMs = now();
      serveWaiting();
      forgetIfIdle(name, lane);
    };
  }

  function forgetIfIdle(name: string, lane: Lane): void {
    if (lane.inFlight.size > 0 || waitersOf(lane) > 0) return;
    lanes.delete(name);
    // Taken out and put in again: the least recently used one is forgotten first.
    smallWindows.delete(name);
    if (lane.window < windowFirst) smallWindows.set(name, lane.window);
    if (smallWindows.size > SMALL_WINDOWS_MAX)
      smallWindows.delete(smallWindows.keys().next().value as string);
  }

  /** One for each lane in turn, as long as any may take one: a slot that is freed may raise several lanes' shares. */
  function serveWaiting(): void {
    let served = true;
    while (served && inFlight < slotsMax) {
      served = false;
      for (const name of [...turns]) {
        const lane = laneAt(name);
        const waiter = nextWaiter(lane);
        if (waiter !== undefined && !mayTake(name, lane)) continue;
        turns.delete(name);
        if (waiter === undefined) continue;
        setOf(lane, waiter.isRetry).delete(waiter);
        if (waitersOf(lane) > 0) turns.add(name);
        waiter.answer(take(name, lane, waiter));
        served = true;
      }
    }
  }

  /** Of congested lanes, this many may wait; none if the lane hangs, or has large bodies. */
  function kept(lane: Lane, share: number): number {
    const isHeavy = lane.bytesInFlight > bytesMax * HEAVY_SHARE;
    return isPrompt(lane) && !isHeavy ? Math.floor(lane.inFlight.size * share) : 0;
  }

  function isStuck(name: string, lane: Lane): boolean {
    const [[first], [retry]] = [lane.waiting, lane.waitingRetries];
    const waitedMs = now() - Math.min(first?.sinceMs ?? now(), retry?.sinceMs ?? now());
    const isSilent = now() - lane.lastEndMs > SILENCE_MAX_MS;
    const isNew = waitedMs > WAIT_MAX_MS || (isSilent && waitedMs > SILENCE_MAX_MS);
    const isOver = !isSilent && lane.endIntervalMs < END_INTERVAL_MAX_MS;
    lane.isStuck = !mayTake(name, lane) && (isNew || (lane.isStuck && !isOver));
    return lane.isStuck;
  }

  return {
    inFlight: () => inFlight,
    waitingOf(name) {
      const lane = lanes.get(name);
      return lane === undefined ? 0 : waitersOf(lane);
    },
    roomOf(name) {
      const lane = lanes.get(name);
      if (lane === undefined)
        return Math.min(smallWindows.get(name) ?? windowFirst, slotsLeft(name, undefined));
      const toTake = Math.min(lane.window - lane.inFlight.size, slotsLeft(name, lane));
      // Who can leave does not count: they came later than what waits in the lane, and would keep it there as long as more
      // of them come.
      const staying = [...lane.waiting, ...lane.waitingRetries].filter(
        ({ evictable }) => !evictable(),
      ).length;
      return Math.max(0, Math.max(0, toTake) + kept(lane, SUPPLIED_SHARE) - staying);
    },
    tryAcquire(name, webhook) {
      const lane = laneAt(name);
      if (waitersOf(lane) === 0 && mayTake(name, lane)) return take(name, lane, webhook);
      forgetIfIdle(name, lane);
      return undefined;
    },
    async acquire(name, { signal, evictable, onSetAside, isRetry, bytes }) {
      if (signal.aborted) return 'aborted';
      const lane = laneAt(name);
      if (waitersOf(lane) === 0 && mayTake(name, lane)) return take(name, lane, { isRetry, bytes });
      // Who would be sent away in a moment does not come in.
      if (!isPrompt(lane) && isStuck(name, lane) && evictable()) return 'evicted';
      const { promise, resolve } = Promise.withResolvers<Release | 'aborted' | 'evicted'>();
      const waiter: Waiter = {
        evictable,
        onSetAside,
        isSetAside: false,
        isRetry,
        bytes,
        sinceMs: now(),
        answer: resolve,
      };
      const waiting = setOf(lane, isRetry);
      const onAbort = () => {
        waiting.delete(waiter);
        if (waitersOf(lane) === 0) turns.delete(name);
        noteWants(name, lane);
        forgetIfIdle(name, lane);
        resolve('aborted');
      };
      waiting.add(waiter);
      turns.add(name);
      noteWants(name, lane);
      signal.addEventListener('abort', onAbort, { once: true });
      const answer = await promise;
      signal.removeEventListener('abort', onAbort);
      return answer;
    },
    evictCongested() {
      for (const name of [...turns]) {
        const lane = laneAt(name);
        if (!isStuck(name, lane)) continue;
        const waiters = [...lane.waiting, ...lane.waitingRetries];
        const mayLeave: Waiter[] = [];
        for (const waiter of waiters) {
          if (waiter.evictable()) mayLeave.push(waiter);
          else setAside(waiter);
        }
        const staying = waiters.length - mayLeave.length;
        for (const waiter of mayLeave.slice(Math.max(0, kept(lane, KEPT_SHARE) - staying))) {
          setOf(lane, waiter.isRetry).delete(waiter);
          waiter.answer('evicted');
        }
        if (waitersOf(lane) === 0) turns.delete(name);
        noteWants(name, lane);
        forgetIfIdle(name, lane);
      }
    },
  };
}

function setOf(lane: Lane, isRetry: boolean): Set<Waiter> {
  return isRetry ? lane.waitingRetries : lane.waiting;
}

function setAside(waiter: Waiter): void {
  if (waiter.isSetAside) return;
  waiter.isSetAside = true;
  waiter.onSetAside();
}

function waitersOf({ waiting, waitingRetries }: Lane): number {
  return waiting.size + waitingRetries.size;
}

function nextWaiter({ waiting, waitingRetries, inFlight, retriesInFlight }: Lane): Waiter | undefined {
  const [[first], [retry]] = [waiting, waitingRetries];
  if (first === undefined || retry === undefined) return first ?? retry;
  return retriesInFlight + 1 <= RETRY_SHARE * (inFlight.size + 1) ? retry : first;
}

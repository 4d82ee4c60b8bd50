/**
 * Sends batches when they are full or their time has come. The worker that gathered a webhook knows when that is; and
 * every second somebody looks at each lot that is due, so that none is forgotten when a worker dies. When a channel or a
 * campaign changes, all lots are looked at: a shorter wait, a smaller size or a cancel reaches what has gathered.
 */
import { type Batches, type Gathered, type Lot, campaignOfLane, channelOfLane } from '@hookfleet/queue';

export interface BatchSenderOptions {
  readonly batches: Pick<Batches, 'send' | 'claimDue' | 'list'>;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
  /** How often to look for lots that are due. */
  readonly lookEveryMs?: number | undefined;
}

export interface BatchSender {
  /** Webhooks came into lots. */
  gathered(lots: readonly Gathered[]): void;
  /** The lane of a channel or a campaign has changed; undefined: any may have. */
  changed(lane: string | undefined): void;
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
const LOTS_PER_TICK = 100;

export function createBatchSender({
  batches,
  onError,
  lookEveryMs = LOOK_EVERY_MS,
}: BatchSenderOptions): BatchSender {
  const timers = new Map<string, NodeJS.Timeout>();
  const underWay = new Map<string, Promise<void>>();
  const askedAgain = new Set<string>();
  let hasChanged = false;
  let stopped = false;

  const keyOf = ({ shard, name }: Lot) => `${shard}:${name}`;

  /** One send of a lot at a time; what is asked for meanwhile comes right after it. */
  function send(lot: Lot): void {
    const key = keyOf(lot);
    if (stopped) return;
    if (underWay.has(key)) return void askedAgain.add(key);
    clearTimeout(timers.get(key));
    timers.delete(key);
    const sending = batches
      .send(lot)
      .then((nextInMs) => {
        if (nextInMs !== undefined) sendIn(lot, nextInMs);
      })
      .catch((error: Error) => onError(error, { doing: 'send a batch' }))
      .finally(() => {
        underWay.delete(key);
        if (askedAgain.delete(key)) send(lot);
      });
    underWay.set(key, sending);
  }

  function sendIn(lot: Lot, delayMs: number): void {
    const key = keyOf(lot);
    if (stopped || timers.has(key)) return;
    timers.set(
      key,
      setTimeout(() => {
        timers.delete(key);
        send(lot);
      }, delayMs),
    );
  }

  async function lookAround(): Promise<void> {
    const wasChanged = hasChanged;
    hasChanged = false;
    const lots = wasChanged ? await batches.list() : await batches.claimDue(LOTS_PER_TICK);
    for (const lot of lots) send(lot);
  }

  let looking: Promise<void> | undefined;
  function look(): void {
    // While Redis is slow, one look at a time.
    looking ??= lookAround()
      .catch((error: Error) => onError(error, { doing: 'look at lots' }))
      .finally(() => {
        looking = undefined;
      });
  }
  const tick = setInterval(look, lookEveryMs);

  return {
    gathered(lots) {
      for (const { lot, isFull, dueInMs } of lots) {
        if (isFull) send(lot);
        else sendIn(lot, dueInMs);
      }
    },
    changed(lane) {
      const concernsLots =
        lane === undefined || campaignOfLane(lane) !== undefined || channelOfLane(lane) !== undefined;
      // Many changes at a time are one look.
      if (concernsLots) hasChanged = true;
    },
    async stop() {
      stopped = true;
      clearInterval(tick);
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
      await looking;
      await Promise.all(underWay.values());
    },
  };
}

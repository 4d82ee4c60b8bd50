/**
 * Sends batches when they are full or their time has come. The worker that gathered a webhook knows when that is; and
 * every second somebody looks at each lot that is due, so that none is forgotten when a worker dies. Webhooks of a
 * campaign that is cancelled leave their lot at once, to be counted as such.
 */
import type { Bundle } from '@hookfleet/contract';
import type { Batches, Gathered, Lot } from '@hookfleet/queue';

export interface BatchSenderOptions {
  readonly batches: Pick<Batches, 'send' | 'claimDue'>;
  readonly isCancelled: (campaignId: string, generation: number | undefined) => boolean;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
  /** How often to look for cancelled campaigns and for lots that are due. */
  readonly lookEveryMs?: number | undefined;
}

interface KnownLot {
  readonly lot: Lot;
  readonly campaignId: string;
  readonly generation: number | undefined;
}

export interface BatchSender {
  /** Webhooks of the bundle came into lots. */
  gathered(bundle: Pick<Bundle, 'campaignId' | 'generation'>, lots: readonly Gathered[]): void;
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
const LOTS_PER_TICK = 100;
// Lots that this worker gathered into and has not seen empty; the oldest are forgotten first, and left to the tick.
const LOTS_MAX = 10_000;

export function createBatchSender({
  batches,
  isCancelled,
  onError,
  lookEveryMs = LOOK_EVERY_MS,
}: BatchSenderOptions): BatchSender {
  const known = new Map<string, KnownLot>();
  const timers = new Map<string, NodeJS.Timeout>();
  const underWay = new Map<string, Promise<void>>();
  let stopped = false;

  const keyOf = ({ shard, name }: Lot) => `${shard}:${name}`;

  /** One send of a lot at a time; what comes meanwhile is seen by it, or by the timer that it leaves. */
  function send(lot: Lot, all: boolean): void {
    const key = keyOf(lot);
    if (stopped || underWay.has(key)) return;
    clearTimeout(timers.get(key));
    timers.delete(key);
    const sending = batches
      .send(lot, { all })
      .then((nextInMs) => {
        if (nextInMs === undefined) known.delete(key);
        else sendIn(lot, nextInMs);
      })
      .catch((error: Error) => onError(error, { doing: 'send a batch' }))
      .finally(() => underWay.delete(key));
    underWay.set(key, sending);
  }

  function sendIn(lot: Lot, delayMs: number): void {
    const key = keyOf(lot);
    if (stopped || timers.has(key)) return;
    timers.set(
      key,
      setTimeout(() => {
        timers.delete(key);
        send(lot, false);
      }, delayMs),
    );
  }

  async function lookAround(): Promise<void> {
    for (const { lot, campaignId, generation } of known.values())
      if (isCancelled(campaignId, generation)) send(lot, true);
    for (const lot of await batches.claimDue(LOTS_PER_TICK)) send(lot, false);
  }

  let looking: Promise<void> | undefined;
  const tick = setInterval(() => {
    // While Redis is slow, one look at a time.
    looking ??= lookAround()
      .catch((error: Error) => onError(error, { doing: 'look at lots' }))
      .finally(() => {
        looking = undefined;
      });
  }, lookEveryMs);

  return {
    gathered({ campaignId, generation }, lots) {
      for (const { lot, isFull, dueInMs } of lots) {
        known.set(keyOf(lot), { lot, campaignId, generation });
        if (known.size > LOTS_MAX) known.delete(known.keys().next().value as string);
        if (isFull) send(lot, false);
        else sendIn(lot, dueInMs);
      }
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

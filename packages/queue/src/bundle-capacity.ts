/**
 * What this process has in hand, over all shards, and whether it may take more. Counted in webhooks, not jobs (a bundle
 * of fifty weighs fifty), and in bytes of their bodies: hundreds of webhooks of a megabyte for one slow destination would
 * be the end of a process that holds thousands of small ones easily.
 *
 * A webhook's room is free when the webhook has ended. The bytes of a job are free when the job has: until then its data
 * is in memory, whatever became of its webhooks.
 */
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

export interface BundleCapacity {
  /** Resolves when there is room again, or `signal` aborts. */
  untilRoom(signal: AbortSignal): Promise<void>;
  hasRoom(): boolean;
  inHand(): number;
  bytesInHand(): number;
  /** A job is there. It may overfill what there is room for. */
  take(weight: JobWeight): JobInHand;
  /**
   * Room for a job that is asked for and whose weight is not known yet; undefined if there is none. Many jobs end at
   * once, and each asks for the next: without it, all of them would see the same room. To be called when the job has come.
   */
  reserve(): (() => void) | undefined;
}

export interface JobWeight {
  readonly webhooks: number;
  readonly bytes: number;
}

export interface JobInHand {
  /** That many more of its webhooks have ended. */
  settled(webhooks: number): void;
  /** The job has ended, and with it what is left of its webhooks. */
  ended(): void;
}

export interface BundleCapacityOptions {
  readonly webhooksMax: number;
  readonly bytesMax?: number;
}

const MIB = 1024 * 1024;
const BYTES_MIN = 16 * MIB;
const BYTES_MAX = 256 * MIB;
// A bundle's bodies are this at most, unless it holds a single larger one (pack-bundles.ts).
const RESERVED = { webhooks: 1, bytes: MIB / 2 };

/**
 * A sixteenth of the process's memory. A body is in memory several times: the text of the job from Redis until it is
 * collected, the body in it, the bytes that are sent, and the text of a retry or of what is parked until it is written.
 * With that, and some 150 MB for a busy worker, 512 MiB are enough for any HOOKFLEET_CONCURRENCY. At most an eighth of
 * the heap, because an operator may have set that by itself. Below 16 MiB large webhooks would go one by one; above
 * 256 MiB more in hand makes nothing faster.
 */
export function bodyBytesMaxOf({
  memoryBytes,
  heapBytes,
}: {
  memoryBytes: number;
  heapBytes: number;
}): number {
  return Math.min(Math.max(Math.min(memoryBytes / 16, heapBytes / 8), BYTES_MIN), BYTES_MAX);
}

/** Of this process: of its container, if that has a limit, else of the machine. */
export function bodyBytesMax(): number {
  return bodyBytesMaxOf({
    // 0 if it is not known, and more than there is if there is no limit.
    memoryBytes: Math.min(process.constrainedMemory() || totalmem(), totalmem()),
    heapBytes: getHeapStatistics().heap_size_limit,
  });
}

export function createBundleCapacity({
  webhooksMax,
  bytesMax = bodyBytesMax(),
}: BundleCapacityOptions): BundleCapacity {
  const inHand = { webhooks: 0, bytes: 0 };
  const reserved = { webhooks: 0, bytes: 0 };
  let waiting = Promise.withResolvers<void>();

  /** What is in hand may overfill by one job: so a job that is larger than all there is room for is taken, alone. */
  function hasRoom(): boolean {
    return inHand.webhooks + reserved.webhooks < webhooksMax && inHand.bytes + reserved.bytes < bytesMax;
  }

  function change(of: { webhooks: number; bytes: number }, webhooks: number, bytes: number): void {
    of.webhooks += webhooks;
    of.bytes += bytes;
    if (!hasRoom()) return;
    waiting.resolve();
    waiting = Promise.withResolvers();
  }

  return {
    hasRoom,
    inHand: () => inHand.webhooks,
    bytesInHand: () => inHand.bytes,
    async untilRoom(signal) {
      while (!hasRoom() && !signal.aborted) {
        const { promise: aborted, resolve } = Promise.withResolvers<void>();
        const onAbort = () => resolve();
        signal.addEventListener('abort', onAbort, { once: true });
        await Promise.race([waiting.promise, aborted]);
        signal.removeEventListener('abort', onAbort);
      }
    },
    take({ webhooks, bytes }) {
      let owed = { webhooks, bytes };
      inHand.webhooks += webhooks;
      inHand.bytes += bytes;
      return {
        settled(ended) {
          const given = Math.min(ended, owed.webhooks);
          owed = { ...owed, webhooks: owed.webhooks - given };
          if (given > 0) change(inHand, -given, 0);
        },
        ended() {
          const { webhooks: left, bytes: held } = owed;
          owed = { webhooks: 0, bytes: 0 };
          if (left + held > 0) change(inHand, -left, -held);
        },
      };
    },
    reserve() {
      if (!hasRoom()) return undefined;
      let isHeld = true;
      reserved.webhooks += RESERVED.webhooks;
      reserved.bytes += RESERVED.bytes;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        change(reserved, -RESERVED.webhooks, -RESERVED.bytes);
      };
    },
  };
}

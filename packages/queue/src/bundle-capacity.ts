/**
 * How many webhooks this process has in hand, over all shards, and whether it may take more. Counted in webhooks,
 * not jobs: a bundle of fifty weighs fifty.
 */
export interface BundleCapacity {
  /** Resolves when there is room again, or `signal` aborts. */
  untilRoom(signal: AbortSignal): Promise<void>;
  hasRoom(): boolean;
  inHand(): number;
  take(webhooks: number): void;
  give(webhooks: number): void;
}

export function createBundleCapacity(webhooksMax: number): BundleCapacity {
  let inHand = 0;
  let waiting = Promise.withResolvers<void>();
  return {
    hasRoom: () => inHand < webhooksMax,
    inHand: () => inHand,
    async untilRoom(signal) {
      while (inHand >= webhooksMax && !signal.aborted) {
        const { promise: aborted, resolve } = Promise.withResolvers<void>();
        const onAbort = () => resolve();
        signal.addEventListener('abort', onAbort, { once: true });
        await Promise.race([waiting.promise, aborted]);
        signal.removeEventListener('abort', onAbort);
      }
    },
    take(webhooks) {
      inHand += webhooks;
    },
    give(webhooks) {
      inHand -= webhooks;
      if (inHand < webhooksMax) {
        waiting.resolve();
        waiting = Promise.withResolvers();
      }
    },
  };
}

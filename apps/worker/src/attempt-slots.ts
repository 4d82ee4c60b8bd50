/**
 * HOOKFLEET_CONCURRENCY: attempts in flight in this process, over all bundles. A slot is held until the attempt is
 * recorded, so a killed worker repeats at most so many, and unrecorded outcomes can't pile up while Redis is away.
 */
export interface AttemptSlots {
  /** Resolves to the slot's release, in the order of asking; undefined where `signal` aborts first. */
  acquire(signal: AbortSignal): Promise<(() => void) | undefined>;
  inFlight(): number;
}

export function createAttemptSlots(slotsMax: number): AttemptSlots {
  let inFlight = 0;
  const waiting = new Set<() => void>();

  function release(): void {
    inFlight -= 1;
    const [next] = waiting;
    if (next !== undefined) {
      waiting.delete(next);
      next();
    }
  }

  function take(): () => void {
    inFlight += 1;
    let released = false;
    return () => {
      if (!released) release();
      released = true;
    };
  }

  return {
    inFlight: () => inFlight,
    async acquire(signal) {
      if (signal.aborted) return undefined;
      if (inFlight < slotsMax && waiting.size === 0) return take();
      const { promise, resolve } = Promise.withResolvers<(() => void) | undefined>();
      const grant = () => resolve(take());
      const onAbort = () => {
        waiting.delete(grant);
        resolve(undefined);
      };
      waiting.add(grant);
      signal.addEventListener('abort', onAbort, { once: true });
      const slot = await promise;
      signal.removeEventListener('abort', onAbort);
      return slot;
    },
  };
}

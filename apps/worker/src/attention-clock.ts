/**
 * A clock that stands still while this process is too busy to look. Whether a destination is silent is asked by it: a
 * process that is held up for a tenth of a second at a time, by its own work or by others on the machine, hears nobody
 * meanwhile, and would take every destination for one that hangs.
 */
export interface AttentionClock {
  /** Milliseconds, from an arbitrary beginning. Never ahead of real time, and as fast as that in a process at ease. */
  now(): number;
  stop(): void;
}

// Longer than a look takes to come round in a process at ease, shorter than any silence that means something.
export const LOOK_MS = 20;

export function startAttentionClock(
  realNow: () => number = performance.now.bind(performance),
): AttentionClock {
  let attended = 0;
  let lookedAt = realNow();
  const sinceLook = () => Math.min(realNow() - lookedAt, LOOK_MS);
  const looking = setInterval(() => {
    attended += sinceLook();
    lookedAt = realNow();
  }, LOOK_MS);
  return {
    now: () => attended + sinceLook(),
    stop: () => clearInterval(looking),
  };
}

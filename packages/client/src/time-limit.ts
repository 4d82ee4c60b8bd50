/** A time limit in milliseconds, for a timer. Throws a TypeError for what is none; Infinity is one. */
export function timeLimitMs(name: string, ms: number): number {
  if (!(ms > 0)) throw new TypeError(`${name} must be a number above 0`);
  return Math.min(ms, TIMER_MAX_MS);
}

// What is longer, a timer of Node.js takes for a millisecond. It is 24 days.
const TIMER_MAX_MS = 2 ** 31 - 1;

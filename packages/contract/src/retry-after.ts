/** Retry-After (RFC 9110, 10.2.3): seconds, or a date in one of HTTP's three forms (5.6.7), which are all of UTC. */

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const TIME = '\\d\\d:\\d\\d:\\d\\d';
const IMF_FIXDATE = new RegExp(`^${DAY}, \\d\\d \\w{3} \\d{4} ${TIME} GMT$`);
const RFC_850 = new RegExp(`^${DAY}[a-z]*, \\d\\d-\\w{3}-\\d\\d ${TIME} GMT$`);
const ASCTIME = new RegExp(`^${DAY} \\w{3} [ \\d]\\d ${TIME} \\d{4}$`);

/** In milliseconds from `nowMs` on. Undefined where it is neither, or lies in the past. */
export function parseRetryAfterMs(text: string | null | undefined, nowMs: number): number | undefined {
  const trimmed = text?.trim() ?? '';
  if (/^\d+$/.test(trimmed)) return Number(trimmed) * 1_000;
  const atMs = parseHttpDate(trimmed);
  return atMs > nowMs ? atMs - nowMs : undefined;
}

/** NaN for what is none: Date.parse takes much more. */
function parseHttpDate(text: string): number {
  // It names no zone, and Date.parse would take this machine's.
  if (ASCTIME.test(text)) return Date.parse(`${text} GMT`);
  return IMF_FIXDATE.test(text) || RFC_850.test(text) ? Date.parse(text) : Number.NaN;
}

/**
 * The steps that a series may be asked for, in any time zone: where each begins. Days, weeks (from Monday) and months
 * are those of the zone's calendar, 23 to 25 hours a day where clocks change; minutes and hours are exact time.
 */
import { Temporal } from 'temporal-polyfill';

export const CALENDAR_STEPS = ['minute', 'hour', 'day', 'week', 'month'] as const;

export type CalendarStep = (typeof CALENDAR_STEPS)[number];

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The least that a step lasts. */
const STEP_MS_MIN: Readonly<Record<CalendarStep, number>> = {
  minute: MINUTE_MS,
  hour: HOUR_MS,
  day: 23 * HOUR_MS,
  week: 7 * DAY_MS - HOUR_MS,
  month: 28 * DAY_MS - HOUR_MS,
};

/** An IANA name, such as Europe/Berlin. */
export function isTimeZone(name: string): boolean {
  // Offsets such as +01:00 would do too, but no customer's calendar follows one.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

/** Steps in the range, at least; to refuse a range before its steps are worked out. */
export function stepsAtLeast(step: CalendarStep, fromMs: number, toMs: number): number {
  return Math.floor((toMs - fromMs) / (STEP_MS_MIN[step] * 1.2));
}

/**
 * The bounds of the steps that hold the range from `fromMs` up to, not including, `toMs`: each step's start in
 * milliseconds since 1970, and the end of the last.
 */
export function stepBounds(step: CalendarStep, timeZone: string, fromMs: number, toMs: number): number[] {
  switch (step) {
    case 'minute':
      return exactBounds(Math.floor(fromMs / MINUTE_MS) * MINUTE_MS, toMs, MINUTE_MS);
    case 'hour':
      return exactBounds(startOfHour(timeZone, fromMs), toMs, HOUR_MS);
    case 'day':
    case 'week':
    case 'month':
      return calendarBounds(step, timeZone, fromMs, toMs);
  }
}

function exactBounds(startMs: number, toMs: number, stepMs: number): number[] {
  return Array.from({ length: Math.ceil((toMs - startMs) / stepMs) + 1 }, (_, i) => startMs + i * stepMs);
}

/**
 * In zones such as Asia/Kolkata hours begin at half past. By the offset of that moment, and not by the clock: after a
 * clock change the clock's hour may have begun more than an hour ago (Australia/Lord_Howe, Pacific/Chatham).
 */
function startOfHour(timeZone: string, atMs: number): number {
  const offsetMs = zoned(timeZone, atMs).offsetNanoseconds / 1e6;
  return Math.floor((atMs + offsetMs) / HOUR_MS) * HOUR_MS - offsetMs;
}

function calendarBounds(
  step: 'day' | 'week' | 'month',
  timeZone: string,
  fromMs: number,
  toMs: number,
): number[] {
  let date = zoned(timeZone, fromMs).toPlainDate();
  if (step === 'week') date = date.subtract({ days: date.dayOfWeek - 1 });
  if (step === 'month') date = date.with({ day: 1 });
  const bounds: number[] = [];
  for (;;) {
    const atMs = date.toZonedDateTime(timeZone).epochMilliseconds;
    bounds.push(atMs);
    if (atMs >= toMs) return bounds;
    date = date.add({ [`${step}s`]: 1 });
  }
}

function zoned(timeZone: string, atMs: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone);
}

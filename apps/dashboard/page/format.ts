/** Numbers and times as people read them. */
const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });

export const number = (value: number): string => whole.format(value);

export const shortNumber = (value: number): string => compact.format(value);

/** 99.96 % is not 100 %. */
export function share(value: number | null): string {
  if (value === null) return '–';
  if (value < 1 && value > 0.999) return '> 99.9%';
  return percent.format(value);
}

export function milliseconds(value: number): string {
  return value < 1_000
    ? `${whole.format(Math.round(value))} ms`
    : `${whole.format(Math.round(value / 100) / 10)} s`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 360) / 10} h`;
  return `${Math.round(seconds / 8_640) / 10} days`;
}

export function time(iso: string, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium', timeZone }).format(
    new Date(iso),
  );
}

/** A step's start, as precisely as the step is long. */
export function stepTime(iso: string, step: string, timeZone: string): string {
  const day = { day: 'numeric', month: 'short', year: 'numeric' } as const;
  const options: Intl.DateTimeFormatOptions =
    step === 'minute' || step === 'hour'
      ? { ...day, hour: '2-digit', minute: '2-digit' }
      : step === 'month'
        ? { month: 'long', year: 'numeric' }
        : day;
  return new Intl.DateTimeFormat('en-GB', { ...options, timeZone }).format(new Date(iso));
}

/** As spreadsheets read it: 2026-11-24 13:00. */
export function sheetTime(iso: string, timeZone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short', timeZone }).format(
    new Date(iso),
  );
}

export function ago(iso: string, nowMs: number): string {
  const seconds = Math.max(0, (nowMs - Date.parse(iso)) / 1_000);
  return seconds < 5 ? 'just now' : `${duration(seconds)} ago`;
}

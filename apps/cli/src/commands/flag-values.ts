/** What flags may hold, read once for all commands. Each throws InvalidArgumentError, which commander tells with the flag's name. */
import { parseDurationMs } from '@hookfleet/runtime/load-config';
import { InvalidArgumentError } from 'commander';

export function parsePositiveInteger(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('a whole number from 1 on is needed');
  return number;
}

/** In milliseconds. */
export function parseDuration(text: string): number {
  const ms = parseDurationMs(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('a time such as 500ms, 30s or 5m is needed');
  return ms;
}

/** `name: value`, gathered where it is given several times. */
export function parseHeader(
  text: string,
  earlier: readonly (readonly [string, string])[] = [],
): (readonly [string, string])[] {
  const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('"name: value" is needed');
  return [...earlier, [name, value]];
}

/** A flag that may be given several times. */
export function gather(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}

/** A time, as ISO 8601 or as how long ago it was: 2026-11-24T10:00:00Z, or 30m. */
export function parseTime(text: string): string {
  const agoMs = parseDurationMs(text);
  if (!Number.isNaN(agoMs)) return new Date(Date.now() - agoMs).toISOString();
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('a time is needed: 2026-11-24T10:00:00Z, or 30m ago as 30m');
  return new Date(ms).toISOString();
}

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535)) throw new InvalidArgumentError('a port from 0 to 65535 is needed');
  return port;
}

/** One that ends an exchange: 1xx does not. */
export function parseStatus(text: string): number {
  if (!/^[2-5]\d\d$/.test(text)) throw new InvalidArgumentError('an HTTP status from 200 to 599 is needed');
  return Number(text);
}

/**
 * What stands in Redis as JSON is only as trustworthy as whoever can write there. An entry that can't be read is told
 * of once and passed over, so that it stops nothing but itself: not the others of its hash, nor the process that reads
 * them. Its text is not shown, for it may hold secrets.
 */
export type OnUnreadable = (error: Error, context: Record<string, unknown>) => void;

/** Undefined for an entry that can't be read. */
export type ReadStored<T> = (field: string, text: string) => T | undefined;

// Entries that were told of: beyond so many they are told of again.
const TOLD_MAX = 1_000;

/** For who has nobody to tell. As below. */
export function readObject<T extends object>(
  text: string,
  fits: (value: Partial<T>) => boolean = () => true,
): T | undefined {
  const value = parseStored(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return fits(value as Partial<T>) ? (value as T) : undefined;
}

/** `fits` looks no deeper than what would throw where it is missing. */
export function createReadStored<T extends object>(
  what: string,
  onUnreadable: OnUnreadable | undefined,
  fits: (value: Partial<T>) => boolean = () => true,
): ReadStored<T> {
  const tell = createTellOnce(what, onUnreadable);
  return (field, text) => {
    const value = readObject(text, fits);
    if (value === undefined) tell(field);
    return value;
  };
}

/** Once a field, for what can't be read as an object. */
export function createTellOnce(
  what: string,
  onUnreadable: OnUnreadable | undefined,
): (field: string, context?: Record<string, unknown>) => void {
  const told = new Set<string>();
  return (field, context) => {
    if (told.has(field)) return;
    if (told.size >= TOLD_MAX) told.clear();
    told.add(field);
    onUnreadable?.(new Error(`${what} in Redis can't be read, and is passed over`), { field, ...context });
  };
}

/** The readable ones of a hash. */
export function readAll<T>(texts: Readonly<Record<string, string>>, read: ReadStored<T>): Map<string, T> {
  return new Map(
    Object.entries(texts).flatMap(([field, text]): [string, T][] => {
      const value = read(field, text);
      return value === undefined ? [] : [[field, value]];
    }),
  );
}

/** 0 for what is none. */
export function readCount(text: string | null | undefined): number {
  return text != null && /^-?\d{1,15}$/.test(text) ? Number(text) : 0;
}

/** Milliseconds since 1970 that Date can show (ECMA-262, time values). */
export function isTime(ms: unknown): ms is number {
  return typeof ms === 'number' && Math.abs(ms) <= 8.64e15;
}

/** Undefined for a text that is no JSON. */
export function parseStored(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

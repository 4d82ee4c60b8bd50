/**
 * How often an address may come with a wrong key: LIMIT times in a WINDOW, after which no key of it is believed until
 * the window ends. A caller that came with a right key from the same address before goes on meanwhile: else one
 * upstream with an old key, or a guesser behind the same proxy, would lock all others out.
 *
 * Memory is bounded, by forgetting what was seen longest ago. All work is a constant: a look into two maps.
 */
import { isIPv6 } from 'node:net';

// A person who mistypes stays far below it; a guesser gets nowhere with a key of 16 characters at 30 a minute.
const LIMIT = 30;
const WINDOW_MS = 60_000;
// Some 100 bytes each.
const REMEMBERED_MAX = 10_000;

export interface FailedSignIns {
  /** Milliseconds for which the key is not believed, right or wrong; 0: it counts. `fingerprint` is a right key's. */
  blockedForMs(address: string, fingerprint: string | undefined): number;
  failed(address: string): void;
  /** For tests of its bound. */
  size(): number;
}

export function createFailedSignIns(now: () => number): FailedSignIns {
  const failures = new Map<string, { count: number; readonly endsAtMs: number }>();
  const trusted = new Map<string, true>();

  const blockedFor = (place: string) => {
    const seen = failures.get(place);
    return seen === undefined || seen.count < LIMIT ? 0 : Math.max(0, seen.endsAtMs - now());
  };

  return {
    blockedForMs(address, fingerprint) {
      const place = placeOf(address);
      const blockedMs = blockedFor(place);
      if (fingerprint === undefined) return blockedMs;
      const pair = `${place} ${fingerprint}`;
      if (trusted.has(pair)) return 0;
      if (blockedMs === 0) remember(trusted, pair, true);
      return blockedMs;
    },
    failed(address) {
      const place = placeOf(address);
      const seen = failures.get(place);
      if (seen !== undefined && now() < seen.endsAtMs) seen.count += 1;
      else remember(failures, place, { count: 1, endsAtMs: now() + WINDOW_MS });
    },
    size: () => failures.size + trusted.size,
  };
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > REMEMBERED_MAX) map.delete(map.keys().next().value as string);
}

/** Who has one address of IPv6 mostly has its whole /64. */
function placeOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => '0');
  return [...groups, ...zeros, ...rest].slice(0, 4).join(':');
}

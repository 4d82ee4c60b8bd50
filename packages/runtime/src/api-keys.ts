/**
 * API keys as bearer tokens (RFC 6750), and what each may do. Compared in constant time, over all keys, by digest:
 * lengths don't show.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

/** `enqueue`: bring webhooks and events in. `read`: look. `operate`: change channels, campaigns and event types. */
export const ROLES = ['enqueue', 'read', 'operate'] as const;

export type Role = (typeof ROLES)[number];

/** Whoever calls, once it is known who that is. */
export interface Caller {
  /** Stands for the key in logs; see `fingerprintOf`. */
  readonly fingerprint: string;
  readonly roles: readonly Role[];
}

/** What a key's prefix gives. Who operates must see what: those keys may look too. */
const ROLES_BY_PREFIX: Readonly<Record<string, readonly Role[]>> = {
  enqueue: ['enqueue'],
  read: ['read'],
  operate: ['read', 'operate'],
};

const KEYLESS: Caller = { fingerprint: 'none', roles: ROLES };

const KEY_LENGTH_MIN = 16;

/**
 * An entry of HOOKFLEET_API_KEYS: a key that may do everything, or one role's name, a colon, and a key. Throws a TypeError,
 * without the key, for anything else: `Read:…` or `viewer:…` must not become a key that may do everything.
 */
export function parseApiKey(entry: string): { readonly roles: readonly Role[]; readonly key: string } {
  const [, prefix, key = entry] = /^([^:]*):(.*)$/s.exec(entry) ?? [];
  const roles = prefix === undefined ? ROLES : ownRoles(prefix);
  if (roles === undefined)
    throw new TypeError(`before a key's colon stands ${Object.keys(ROLES_BY_PREFIX).join(', ')} or nothing`);
  // As a header can carry them (RFC 6750 allows fewer).
  if (!/^[!-~]*$/.test(key)) throw new TypeError('each key must be of ASCII characters, without spaces');
  if (key.length < KEY_LENGTH_MIN)
    throw new TypeError(`each key must have ${KEY_LENGTH_MIN} characters or more`);
  return { roles, key };
}

/** All of HOOKFLEET_API_KEYS, the one that may do the most first. Throws as parseApiKey does. */
export function parseApiKeys(text: string): readonly ReturnType<typeof parseApiKey>[] {
  const entries = text.split(',').flatMap((entry) => entry.trim() || []);
  return entries.map(parseApiKey).toSorted((a, b) => b.roles.length - a.roles.length);
}

function ownRoles(prefix: string): readonly Role[] | undefined {
  return Object.hasOwn(ROLES_BY_PREFIX, prefix) ? ROLES_BY_PREFIX[prefix] : undefined;
}

/**
 * The first 8 hexadecimal digits of the key's SHA-256: tells keys apart in logs. Of a random key of 16 characters or
 * more it gives nothing away; an operator finds whose it is with `printf %s KEY | sha256sum`.
 */
export function fingerprintOf(key: string): string {
  return digestOf(key).toString('hex').slice(0, 8);
}

/** Without keys everybody may do everything: then the process may listen on loopback only (see `bindProblems`). */
export function createApiKeyCheck(
  entries: readonly string[],
): (authorization: string | undefined) => Caller | undefined {
  const known = entries.map((entry) => {
    const { roles, key } = parseApiKey(entry);
    return { roles, digest: digestOf(key), fingerprint: fingerprintOf(key) };
  });
  return (authorization) => {
    if (known.length === 0) return KEYLESS;
    const given = digestOf(bearerTokenOf(authorization) ?? '');
    // No early exit: each key is compared. One that stands there twice may do what either may.
    const fitting = known.filter(({ digest }) => timingSafeEqual(digest, given));
    const [first] = fitting;
    if (first === undefined) return undefined;
    const roles = ROLES.filter((role) => fitting.some((one) => one.roles.includes(role)));
    return { fingerprint: first.fingerprint, roles };
  };
}

/** Undefined where no bearer token was given. */
export function bearerTokenOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
}

/** Why a process must not listen on `host`, as a configuration's check tells it; nothing where it may. */
export function bindProblems(host: string, keys: readonly string[]): readonly string[] {
  if (isLoopback(host) || keys.length > 0) return [];
  return [`HOOKFLEET_API_KEYS: must be set where HOST is ${host}, which others can reach`];
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/**
 * Sessions of the page: who signs in with an API key gets a cookie that no script can read, because EventSource sends
 * no headers, and because a key that lies in the page's memory can be stolen from there.
 *
 * The cookie is a random id and says nothing. What it stands for is kept in Redis until it ends: which key signed in, told
 * by an HMAC under the id, so that it can be checked and not guessed. What a session may do is what its key may do when it
 * is asked, less bringing something in. So a session ends with its key, by a sign-out, or after its time, in every process.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Caller, fingerprintOf, parseApiKey, type Role } from '@hookfleet/runtime';

export const SESSION_COOKIE = 'hookfleet_session';
// A working day: long enough to be signed in once, short enough for a screen that was left behind.
const LIFETIME_MS = 12 * 3_600_000;
const ID_BYTES = 32;
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict';
const SESSION_ROLES: readonly Role[] = ['read', 'operate'];

/** Keeps sessions by their ids. Its calls reject while it is away. */
export interface SessionStore {
  put(id: string, session: string, lifetimeMs: number): Promise<void>;
  get(id: string): Promise<string | undefined>;
  remove(id: string): Promise<void>;
}

export interface Sessions {
  /** Resolves to the value of Set-Cookie. `key`: one of the API keys. */
  issue(key: string, options: { secure: boolean }): Promise<string>;
  /** Ends the session, and resolves to the value of Set-Cookie that takes it out of the browser. */
  end(cookieHeader: string | undefined): Promise<string>;
  /** Undefined for no session, one that has ended, and one whose key is not among the API keys any more. */
  callerOf(cookieHeader: string | undefined): Promise<Caller | undefined>;
}

export function createSessions(apiKeys: readonly string[], store: SessionStore): Sessions {
  const known = apiKeys.map(parseApiKey);
  const sealOf = (id: string, key: string) => createHmac('sha256', id).update(key).digest();

  return {
    async issue(key, { secure }) {
      const id = randomBytes(ID_BYTES).toString('base64url');
      await store.put(id, sealOf(id, key).toString('base64url'), LIFETIME_MS);
      const age = `Max-Age=${LIFETIME_MS / 1000}`;
      return `${SESSION_COOKIE}=${id}; ${ATTRIBUTES}; ${age}${secure ? '; Secure' : ''}`;
    },
    async end(cookieHeader) {
      const id = idOf(cookieHeader);
      if (id !== undefined) await store.remove(id);
      return `${SESSION_COOKIE}=; ${ATTRIBUTES}; Max-Age=0`;
    },
    async callerOf(cookieHeader) {
      const id = idOf(cookieHeader);
      const kept = id === undefined ? undefined : await store.get(id);
      if (id === undefined || kept === undefined) return undefined;
      const seal = Buffer.from(kept, 'base64url');
      // One that stands there twice may do what either may.
      const fitting = known.filter(({ key }) => {
        const expected = sealOf(id, key);
        return expected.length === seal.length && timingSafeEqual(expected, seal);
      });
      const [first] = fitting;
      if (first === undefined) return undefined;
      const roles = SESSION_ROLES.filter((role) => fitting.some((one) => one.roles.includes(role)));
      return { fingerprint: fingerprintOf(first.key), roles };
    },
  };
}

function idOf(cookieHeader = ''): string | undefined {
  const pairs = cookieHeader.split(';').map((pair) => pair.trim());
  const value = pairs.find((pair) => pair.startsWith(`${SESSION_COOKIE}=`))?.slice(SESSION_COOKIE.length + 1);
  return value !== undefined && /^[\w-]{43}$/.test(value) ? value : undefined;
}

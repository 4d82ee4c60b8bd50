/**
 * Sessions of the page: who signs in with an API key gets a cookie that no script can read, because EventSource sends
 * no headers, and because a key that lies in the page's memory can be stolen from there.
 *
 * A session is signed and kept nowhere: `<role>.<fingerprint>.<end>.<HMAC-SHA256>`, under a key made of all API keys. So
 * every process of the fleet knows it, and whoever takes a key out of HOOKFLEET_API_KEYS ends all sessions. It is worth
 * less than its key: the page looks and operates, and brings nothing in.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Caller, Role } from '@hookfleet/runtime';

export const SESSION_COOKIE = 'hookfleet_session';
// A working day: long enough to be signed in once, short enough for a screen that was left behind.
const LIFETIME_MS = 12 * 3_600_000;

const SESSION_ROLES: Readonly<Record<string, readonly Role[]>> = {
  read: ['read'],
  operate: ['read', 'operate'],
};

export interface Sessions {
  /** The value of Set-Cookie. */
  issue(caller: Caller, options: { secure: boolean }): string;
  /** The value of Set-Cookie that ends it in this browser. */
  end(): string;
  /** Undefined for no session, one that has ended, and one that was not issued here. */
  callerOf(cookieHeader: string | undefined): Caller | undefined;
}

export function createSessions(apiKeys: readonly string[], now: () => number): Sessions {
  const signingKey = createHmac('sha256', 'hookfleet session').update(JSON.stringify(apiKeys)).digest();
  const sign = (text: string) => createHmac('sha256', signingKey).update(text).digest('base64url');
  const attributes = 'Path=/; HttpOnly; SameSite=Strict';

  return {
    issue({ roles, fingerprint }, { secure }) {
      const role = roles.includes('operate') ? 'operate' : 'read';
      const claim = `${role}.${fingerprint}.${now() + LIFETIME_MS}`;
      const age = `Max-Age=${LIFETIME_MS / 1000}`;
      return `${SESSION_COOKIE}=${claim}.${sign(claim)}; ${attributes}; ${age}${secure ? '; Secure' : ''}`;
    },
    end: () => `${SESSION_COOKIE}=; ${attributes}; Max-Age=0`,
    callerOf(cookieHeader) {
      const value = sessionOf(cookieHeader ?? '');
      const [, claim, role = '', fingerprint = '', end, signature] =
        /^((read|operate)\.(\w{1,8})\.(\d{1,16}))\.([\w-]{43})$/.exec(value) ?? [];
      if (claim === undefined || signature === undefined) return undefined;
      // Both are the base64url of 32 bytes.
      const isOurs = timingSafeEqual(Buffer.from(signature), Buffer.from(sign(claim)));
      const roles = SESSION_ROLES[role];
      return isOurs && roles !== undefined && Number(end) > now() ? { fingerprint, roles } : undefined;
    },
  };
}

function sessionOf(cookieHeader: string): string {
  const pairs = cookieHeader.split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${SESSION_COOKIE}=`))?.slice(SESSION_COOKIE.length + 1) ?? '';
}

/**
 * Who may call what. Pure. Everything below /v1 needs a role, which its route declares: `enqueue` to bring something
 * in, `read` to look, `operate` to change something. Where a route says nothing its method does, on the safe side.
 *
 * A browser sends its cookie with whatever a foreign page makes it send, and reaches loopback for it. So a call that
 * changes something is refused where it comes from another origin, and where a cookie pays for it, it must carry a
 * header that a foreign page can't set. Without API keys the name that the caller used must be one of loopback's: a
 * foreign page whose name was made to point at this machine (DNS rebinding) is then refused too.
 */
import { type Caller, isLoopback, type Role } from '@hookfleet/runtime';

/** Any value will do: what matters is that another origin may not send it. */
export const PAGE_HEADER = 'x-hookfleet-page';

export interface Call {
  readonly method: string;
  /** By bearer token; also where no keys are needed. */
  readonly keyCaller: Caller | undefined;
  readonly sessionCaller: Caller | undefined;
  readonly needsKeys: boolean;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As the route declares it. */
  readonly needs: Role | undefined;
}

export type Access =
  | { readonly caller: Caller; readonly needs: Role }
  | { readonly refused: 'unknown' | 'foreign' | 'pageHeader' | 'host' }
  | { readonly refused: 'role'; readonly caller: Caller; readonly needs: Role };

const LOOKING = new Set(['GET', 'HEAD', 'OPTIONS']);

export function decideAccess(call: Call): Access {
  const { method, keyCaller, sessionCaller, needsKeys, headers } = call;
  const caller = keyCaller ?? sessionCaller;
  const looks = LOOKING.has(method);
  const needs = neededRole(method, call.needs);
  if (!needsKeys && !isAskedOnLoopback(headers)) return { refused: 'host' };
  // Where no key is needed, a foreign page needs none either, to look or to hold a stream open.
  if ((!looks || !needsKeys) && isForeign(headers)) return { refused: 'foreign' };
  if (caller === undefined) return { refused: 'unknown' };
  if (!looks && keyCaller === undefined && headers[PAGE_HEADER] === undefined)
    return { refused: 'pageHeader' };
  return caller.roles.includes(needs) ? { caller, needs } : { refused: 'role', caller, needs };
}

/** What a call needs whose route declares this, or nothing. */
export function neededRole(method: string, declared: Role | undefined): Role {
  return declared ?? (LOOKING.has(method) ? 'read' : 'operate');
}

/** A page whose name has been pointed to this machine (DNS rebinding) asks by that name. */
export function isAskedOnLoopback(headers: Call['headers']): boolean {
  return isLoopback(hostnameOf(headers['host']));
}

/** Where the browser says it itself, that counts: behind a proxy the host may have another name than the page's. */
function isForeign(headers: Call['headers']): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  if (typeof origin !== 'string') return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}

function hostnameOf(host: string | string[] | undefined): string {
  const text = `http://${String(host)}`;
  return URL.canParse(text) ? new URL(text).hostname.replace(/^\[|\]$/g, '') : '';
}

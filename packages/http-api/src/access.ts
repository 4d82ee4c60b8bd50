/**
 * Who may call what. Pure. Everything below /v1 needs a role: `read` to look, `operate` to change something.
 *
 * A browser sends its cookie with whatever a foreign page makes it send, and reaches loopback for it. So a call that
 * changes something is refused where it comes from another origin, and where a cookie pays for it, it must carry a
 * header that a foreign page can't set. Without API keys the name that the caller used must be one of loopback's: a
 * foreign page whose name was made to point at this machine (DNS rebinding) is then refused too.
 */
import { isLoopback, type Role } from '@hookfleet/runtime';

/** Any value will do: what matters is that another origin may not send it. */
export const PAGE_HEADER = 'x-hookfleet-page';

export interface Call {
  readonly method: string;
  /** By bearer token; also where no keys are needed. */
  readonly keyRole: Role | undefined;
  readonly sessionRole: Role | undefined;
  readonly needsKeys: boolean;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** May be made by viewers though it is no GET: it changes nothing but the caller's own session. */
  readonly changesNothing: boolean;
}

export type Access =
  | { readonly role: Role }
  | { readonly refused: 'unknown' | 'reader' | 'foreign' | 'pageHeader' | 'host' };

const LOOKING = new Set(['GET', 'HEAD', 'OPTIONS']);

export function decideAccess(call: Call): Access {
  const { method, keyRole, sessionRole, needsKeys, headers, changesNothing } = call;
  const role = keyRole ?? sessionRole;
  const looks = LOOKING.has(method);
  if (!needsKeys && !isLoopback(hostnameOf(headers['host']))) return { refused: 'host' };
  if (!looks && isForeign(headers)) return { refused: 'foreign' };
  if (role === undefined) return { refused: 'unknown' };
  if (!looks && keyRole === undefined && headers[PAGE_HEADER] === undefined) return { refused: 'pageHeader' };
  if (!looks && !changesNothing && role === 'read') return { refused: 'reader' };
  return { role };
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

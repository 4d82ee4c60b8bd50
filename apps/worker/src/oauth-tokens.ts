/**
 * OAuth 2.0 client credentials (RFC 6749, 4.4): a token for each set of credentials, kept in this process until shortly
 * before it expires. Whoever needs one while it is being fetched waits for the same request. A token endpoint that
 * fails is left alone for a second: what needs a token meanwhile fails with it.
 *
 * The request goes out as an attempt does: through the egress guard, within limits of time and size.
 */
import { type AttemptCause, causeView, type OAuth2 } from '@hookfleet/contract';
import type { Answer, AttemptRequest, Deliver } from './deliver.ts';
import { type MaskEchoes, maskTokenEchoesOf } from './mask-echoes.ts';
import { excerptOf } from './response-excerpt.ts';

export type Token =
  /** `fetchedAtMs` tells whether it is older than the attempt that uses it. */
  | { readonly kind: 'token'; readonly token: string; readonly fetchedAtMs: number }
  | {
      readonly kind: 'failure';
      readonly failure: 'auth' | 'blocked';
      readonly cause?: AttemptCause;
      readonly detail: string;
    };

export interface OAuthTokens {
  /** `timeoutMs`: what the caller can wait for it. */
  get(source: TokenSource, timeoutMs: number): Promise<Token>;
  /** For a token that was answered with 401: forgets it. False where that was done so recently that it won't help. */
  reject(source: TokenSource, token: string): boolean;
}

export interface TokenSource {
  readonly auth: OAuth2;
  /** The destination's authorities: they vouch for the token endpoint too, beside the public ones. */
  readonly ca: string | undefined;
}

const TOKEN_TIMEOUT_MS = 10_000;
// Where a token endpoint doesn't say how long its token holds (RFC 6749 leaves that open).
const LIFETIME_MS = 300_000;
const LIFETIME_MAX_MS = 86_400_000;
// A token is renewed so long before its end, or a tenth of its life where that is less: an attempt takes 30 s.
const MARGIN_MS = 30_000;
const FAILURE_KEPT_MS = 1_000;
// A destination that answers 401 to fresh tokens too would have each attempt ask for another.
const REJECTION_PAUSE_MS = 5_000;
// Credentials in use at a time.
const ENTRIES_MAX = 1_000;
const TOKEN = /^[\x21-\x7e]{1,16384}$/;

interface Entry {
  token?: Token & { readonly expiresAtMs: number };
  pending?: Promise<Token>;
  rejectedAtMs?: number;
}

export function createOAuthTokens(deliver: Deliver, now: () => number): OAuthTokens {
  const entries = new Map<string, Entry>();

  function entryOf({ auth, ca }: TokenSource): Entry {
    const key = JSON.stringify([auth, ca]);
    const entry = entries.get(key) ?? {};
    // The latest used last: the first is the one to forget.
    entries.delete(key);
    entries.set(key, entry);
    if (entries.size > ENTRIES_MAX) entries.delete(entries.keys().next().value as string);
    return entry;
  }

  async function fetchInto(entry: Entry, { auth, ca }: TokenSource): Promise<Token> {
    try {
      const request = tokenRequest(auth, ca);
      const answer = await deliver(request);
      const fetchedAtMs = now();
      const { token, lifetimeMs } = await readAnswer(answer, fetchedAtMs, maskTokenEchoesOf(auth, request));
      entry.token = { ...token, expiresAtMs: fetchedAtMs + lifetimeMs };
      return token;
    } finally {
      delete entry.pending;
    }
  }

  return {
    get(source, timeoutMs) {
      const entry = entryOf(source);
      if (entry.token !== undefined && entry.token.expiresAtMs > now()) return Promise.resolve(entry.token);
      entry.pending ??= fetchInto(entry, source);
      return within(entry.pending, timeoutMs);
    },
    reject(source, token) {
      const entry = entryOf(source);
      const isKnown = entry.token?.kind === 'token' && entry.token.token === token;
      // Somebody else has rejected it: the token that is there now, or on its way, is another.
      if (!isKnown) return true;
      if (entry.rejectedAtMs !== undefined && now() - entry.rejectedAtMs < REJECTION_PAUSE_MS) return false;
      entry.rejectedAtMs = now();
      delete entry.token;
      return true;
    },
  };
}

function tokenRequest(auth: OAuth2, ca: string | undefined): AttemptRequest {
  const { tokenUrl, clientId, clientSecret, scope, audience, clientAuthentication = 'basic' } = auth;
  const form = new URLSearchParams({ grant_type: 'client_credentials' });
  if (scope !== undefined) form.set('scope', scope);
  if (audience !== undefined) form.set('audience', audience);
  if (clientAuthentication === 'body') {
    form.set('client_id', clientId);
    form.set('client_secret', clientSecret);
  }
  return {
    url: tokenUrl,
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(clientAuthentication === 'basic' && { authorization: basicOf(clientId, clientSecret) }),
    },
    body: form.toString(),
    timeoutMs: TOKEN_TIMEOUT_MS,
    ...(ca !== undefined && { tls: { ca, alsoPublic: true } }),
  };
}

/** RFC 6749, 2.3.1: both are encoded as in a form before they are joined. */
function basicOf(clientId: string, clientSecret: string): string {
  const [id, secret] = [clientId, clientSecret].map((text) =>
    new URLSearchParams([['', text]]).toString().slice(1),
  );
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

async function readAnswer(
  answer: Answer,
  nowMs: number,
  mask: MaskEchoes,
): Promise<{ token: Token; lifetimeMs: number }> {
  if (answer.kind === 'failure') {
    const failure = answer.failure === 'blocked' ? 'blocked' : 'auth';
    const why = answer.cause === undefined ? answer.failure : causeView(answer.cause).detail;
    return failed(`no answer from the token endpoint: ${why}`, failure, answer.cause);
  }
  const { statusCode, rawBody, headers } = answer;
  if (statusCode < 200 || statusCode >= 300) {
    const body = await excerptOf(rawBody, headers, mask);
    return failed(`the token endpoint answered ${statusCode}${body === undefined ? '' : `: ${body}`}`);
  }
  // Not shown: what looks like no token to us may be one to others.
  const fields = parseObject(rawBody);
  if (fields === undefined) return failed('the token endpoint answered with no JSON object, or a large one');
  const { access_token: token, token_type: type = 'bearer', expires_in: expiresIn } = fields;
  if (typeof token !== 'string' || !TOKEN.test(token))
    return failed('the token endpoint gave no access_token');
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer')
    return failed('the token endpoint gave a token that is not of type Bearer');
  const seconds = Number(expiresIn);
  const givenMs = seconds > 0 ? Math.min(seconds * 1_000, LIFETIME_MAX_MS) : LIFETIME_MS;
  const lifetimeMs = givenMs - Math.min(MARGIN_MS, givenMs / 10);
  return { token: { kind: 'token', token, fetchedAtMs: nowMs }, lifetimeMs };
}

function failed(detail: string, failure: 'auth' | 'blocked' = 'auth', cause?: AttemptCause) {
  const token = { kind: 'failure', failure, ...(cause !== undefined && { cause }), detail } as const;
  return { token, lifetimeMs: FAILURE_KEPT_MS };
}

function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

async function within(token: Promise<Token>, timeoutMs: number): Promise<Token> {
  const { promise, resolve } = Promise.withResolvers<Token>();
  const timer = setTimeout(
    resolve,
    timeoutMs,
    failed('no answer from the token endpoint within the attempt').token,
  );
  void token.then(resolve);
  const first = await promise;
  clearTimeout(timer);
  return first;
}

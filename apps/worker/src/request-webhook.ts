/**
 * From a webhook and its destination to an answer: builds the request, signs it, gets a token where one is needed, and
 * sends it. What the answer means is not asked here (classify.ts), and nothing is written.
 *
 * A token that was fetched before may have been revoked since: where it is answered with 401, the request is made once
 * more with a fresh one. That is still one attempt, within one deadline, with one outcome.
 */
import {
  type BundledWebhook,
  type Destination,
  type OAuth2,
  requestContent,
  type TraceContext,
  withQuery,
} from '@hookfleet/contract';
import { VERSION } from '@hookfleet/runtime/version';
import type { Answer, AttemptRequest, Deliver } from './deliver.ts';
import type { OAuthTokens } from './oauth-tokens.ts';
import { signatureHeaders } from './sign.ts';

export interface RequestOptions {
  readonly deliver: Deliver;
  readonly tokens: OAuthTokens;
  /** For destinations that set none, and the most for those that do. */
  readonly attemptTimeoutMs: number;
  readonly now: () => number;
}

export interface RequestedWebhook {
  /** As it was sent last; with its secrets. */
  readonly request: AttemptRequest;
  readonly answer: Answer;
  readonly durationMs: number;
}

export type RequestWebhook = (
  webhookId: string,
  webhook: Pick<BundledWebhook, 'body' | 'contentType' | 'members'>,
  destination: Destination,
  /** What the request belongs to: shown to destinations that wish it. */
  trace?: TraceContext,
) => Promise<RequestedWebhook>;

const USER_AGENT = `hookfleet/${VERSION}`;
// With less of the deadline left, a second request could only time out.
const REQUEST_TIMEOUT_MIN_MS = 50;

export function createRequestWebhook({
  deliver,
  tokens,
  attemptTimeoutMs,
  now,
}: RequestOptions): RequestWebhook {
  return async (webhookId, webhook, destination, trace) => {
    const startedAt = performance.now();
    const elapsedMs = () => performance.now() - startedAt;
    const timeoutMs = Math.min(destination.timeoutMs ?? attemptTimeoutMs, attemptTimeoutMs);
    let request: AttemptRequest;
    try {
      request = buildRequest(webhookId, webhook, destination, trace, now(), timeoutMs);
    } catch (error) {
      // It depends on nothing but the webhook and its destination: no worker could build it.
      const detail = `its request can't be built: ${(error as Error).message}`;
      const { url, method = 'POST' } = destination;
      return {
        request: { url, method, headers: {}, body: '', timeoutMs },
        answer: { kind: 'failure', failure: 'unsendable', detail, phases: {} },
        durationMs: 0,
      };
    }
    const { auth } = destination;
    const sent =
      auth?.type === 'oauth2'
        ? await withToken(request, auth, elapsedMs)
        : { request, answer: await deliver(request) };
    return { ...sent, durationMs: Math.round(elapsedMs()) };
  };

  async function withToken(
    request: AttemptRequest,
    auth: OAuth2,
    elapsedMs: () => number,
  ): Promise<Omit<RequestedWebhook, 'durationMs'>> {
    const startedAtMs = now();
    const source = { auth, ca: request.tls?.ca };
    let sent: Omit<RequestedWebhook, 'durationMs'> | undefined;
    for (;;) {
      const token = await tokens.get(source, request.timeoutMs - elapsedMs());
      const leftMs = Math.floor(request.timeoutMs - elapsedMs());
      // A 401 that a fresh token can't be had for stands.
      if (sent !== undefined && (token.kind === 'failure' || leftMs < REQUEST_TIMEOUT_MIN_MS)) return sent;
      if (token.kind === 'failure') return { request, answer: { ...token, phases: {} } };
      const isSecond = sent !== undefined;
      const authorized = {
        ...request,
        headers: { ...request.headers, authorization: `Bearer ${token.token}` },
        timeoutMs: Math.max(REQUEST_TIMEOUT_MIN_MS, leftMs),
      };
      const answer = await deliver(authorized);
      sent = { request: authorized, answer };
      const isStale =
        answer.kind === 'response' && answer.statusCode === 401 && token.fetchedAtMs < startedAtMs;
      if (isSecond || !isStale || !tokens.reject(source, token.token)) return sent;
    }
  }
}

/** A batch is a JSON body, also if its channel has been given another method or content type since. */
function asBatchDestination(destination: Destination): Destination {
  const { method } = destination;
  const takesBody = method === 'PUT' || method === 'PATCH' || method === 'POST';
  return { ...destination, method: takesBody ? method : 'POST', contentType: 'application/json' };
}

function buildRequest(
  webhookId: string,
  { members, ...webhook }: Pick<BundledWebhook, 'body' | 'contentType' | 'members'>,
  given: Destination,
  trace: TraceContext | undefined,
  nowMs: number,
  timeoutMs: number,
): AttemptRequest {
  const destination = members === undefined ? given : asBatchDestination(given);
  const { body, contentType, query } = requestContent(webhook, destination);
  const isPayload = webhook.contentType === undefined;
  const { url, authorization } = splitUrl(destination.url, query);
  return {
    url,
    method: destination.method ?? 'POST',
    headers: {
      ...requestHeaders(destination, contentType, isPayload, authorization),
      ...signatureHeaders({ webhookId, nowMs, body, secrets: destination.signingSecrets }),
      ...(destination.traceContext && trace !== undefined && traceHeaders(trace)),
    },
    body,
    timeoutMs,
    ...(destination.tls !== undefined && { tls: destination.tls }),
  };
}

function traceHeaders({ traceparent, tracestate }: TraceContext): Record<string, string> {
  return { traceparent, ...(tracestate !== undefined && { tracestate }) };
}

/** User and password leave the URL here, so that no error and no view can show them. */
function splitUrl(text: string, query: string | undefined): { url: string; authorization?: string } {
  // Most URLs have neither and aren't parsed.
  if (query === undefined && !text.includes('@')) return { url: text };
  const url = new URL(text);
  const { username, password } = url;
  const whole = withQuery(url, query);
  if (username === '' && password === '') return { url: whole };
  return { url: whole, authorization: basicOf(decoded(username), decoded(password)) };
}

/** The destination's own headers first: ours can't be replaced by them, but for the name of a payload's form. */
function requestHeaders(
  { headers: own = {}, auth }: Destination,
  contentType: string | undefined,
  isPayload: boolean,
  fromUrl: string | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) headers[name.toLowerCase()] = value;
  headers['user-agent'] ??= USER_AGENT;
  if (contentType === undefined) delete headers['content-type'];
  else if (!isPayload || headers['content-type'] === undefined) headers['content-type'] = contentType;
  const authorization = authorizationOf(auth) ?? fromUrl;
  if (authorization !== undefined) headers['authorization'] = authorization;
  if (auth?.type === 'header') headers[auth.name.toLowerCase()] = auth.value;
  return headers;
}

function authorizationOf(auth: Destination['auth']): string | undefined {
  switch (auth?.type) {
    case undefined:
    case 'header':
    // Its token is added when it is there.
    case 'oauth2':
      return undefined;
    case 'basic':
      return basicOf(auth.username, auth.password);
    case 'bearer':
      return `Bearer ${auth.token}`;
  }
}

function basicOf(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** A stray % is no reason to fail: it is taken for itself. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

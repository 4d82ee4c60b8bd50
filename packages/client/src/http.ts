/** The client over HTTP, by a producer: with fetch, and no dependency. */
import { parseRetryAfterMs } from '@hookfleet/contract/retry-after';
import type { Client, ClientOptions } from './client.ts';
import type { Problem, WebhookStatus } from './contract-types.ts';
import { createClient } from './create-client.ts';
import { RefusedError, UnavailableError } from './errors.ts';
import { tooLarge } from './too-large.ts';
import { timeLimitMs } from './time-limit.ts';
import type { Transport } from './transport.ts';

export * from './index.ts';

export interface HttpOptions extends ClientOptions {
  /** Of the producer, or of what stands before several, as in http://127.0.0.1:8080. */
  readonly url: string;
  /** One of HOOKFLEET_API_KEYS that may enqueue, and read for `find`. */
  readonly apiKey?: string | undefined;
  /** Milliseconds that one try may take: 10,000 when absent. */
  readonly tryMs?: number | undefined;
}

const TRY_MS = 10_000;

/** Opens no connection yet. Throws a TypeError for options that can't be used. */
export function connectHttp(options: HttpOptions): Client {
  const { url, apiKey } = options;
  const base = checkUrl(url);
  // fetch refuses such a header, in words that hold the key.
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey))
    throw new TypeError('apiKey must be of printable ASCII, without blanks');
  const tryMs = timeLimitMs('tryMs', options.tryMs ?? TRY_MS);

  /** Undefined for a webhook that isn't there. */
  async function call<T>(
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    fits: (told: Partial<T>) => boolean,
    body?: string,
  ): Promise<T | undefined> {
    const { response, text } = await answerOf(`${base}${path}`, tryMs, signal, {
      method,
      // To follow one would send webhooks to somebody whom the caller did not name.
      redirect: 'manual',
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      ...(body !== undefined && { body }),
    });
    const told = parsed(response, text);
    if (response.ok && isObject(told) && fits(told as Partial<T>)) return told as T;
    // Other servers have a 404 too: an aggregator, whatever stands before a producer.
    if (method === 'GET' && response.status === 404 && isNoSuchWebhook(told)) return undefined;
    const problem = problemOf(response, response.ok ? undefined : told);
    if (!mayWorkLater(response.status)) throw new RefusedError(problem);
    throw new UnavailableError(problem.detail ?? problem.title, {
      retryAfterMs: parseRetryAfterMs(response.headers.get('retry-after'), Date.now()),
    });
  }

  async function post<T>(
    path: string,
    body: string,
    signal: AbortSignal,
    fits: (told: Partial<T>) => boolean,
  ): Promise<T> {
    try {
      return (await call<T>('POST', path, signal, fits, body)) as T;
    } catch (error) {
      throw error instanceof RefusedError && error.problem.status === 413
        ? tooLarge(error.problem, body)
        : error;
    }
  }

  const transport: Transport = {
    async enqueue(webhook, signal) {
      const fits = ({ id }: { id?: unknown }) => typeof id === 'string';
      return (await post<{ id: string }>('/v1/webhooks', webhook, signal, fits)).id;
    },
    async enqueueBulk(webhooks, signal) {
      const body = `{"webhooks":[${webhooks.join(',')}]}`;
      const fits = ({ ids }: { ids?: unknown }) => Array.isArray(ids) && ids.length === webhooks.length;
      return (await post<{ ids: string[] }>('/v1/webhooks/bulk', body, signal, fits)).ids;
    },
    async report(event, signal) {
      return (await post<{ ignored: string[] }>('/v1/events', event, signal, isReported)).ignored;
    },
    async reportBulk(events, signal) {
      const body = `{"events":[${events.join(',')}]}`;
      return (await post<{ ignored: string[] }>('/v1/events', body, signal, isReported)).ignored;
    },
    find: (id, signal) =>
      call<WebhookStatus>(
        'GET',
        `/v1/webhooks/${encodeURIComponent(id)}`,
        signal,
        (told) => typeof told.state === 'string',
      ),
    // fetch keeps its connections by itself, and lets go of those that idle.
    close: async () => undefined,
  };
  return createClient(transport, options);
}

/** The address without a slash at its end. Throws a TypeError that shows nothing of it. */
function checkUrl(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new TypeError('url must be an http or https URL');
  const { username, password, search, hash } = new URL(url);
  // fetch refuses such a URL, in words that hold the password.
  if (username !== '' || password !== '')
    throw new TypeError('url must not hold a user or password: the key of the producer is apiKey');
  if (search !== '' || hash !== '' || /[\s?#\\]/.test(url))
    throw new TypeError('url must be an address alone, without query, fragment or blanks');
  const base = url.replace(/\/+$/, '');
  if (/\/v1(?:\/|$)/.test(new URL(base).pathname))
    throw new TypeError('url must be the address before /v1, as in http://127.0.0.1:8080');
  return base;
}

function isObject(told: unknown): told is object {
  return typeof told === 'object' && told !== null && !Array.isArray(told);
}

function isNoSuchWebhook(told: unknown): boolean {
  return isObject(told) && String((told as Partial<Problem>).detail).startsWith('There is no webhook ');
}

function isReported({ ignored }: { ignored?: unknown }): boolean {
  return Array.isArray(ignored);
}

/** Throws UnavailableError where there is no answer within `tryMs`. */
async function answerOf(
  url: string,
  tryMs: number,
  signal: AbortSignal,
  init: RequestInit,
): Promise<{ readonly response: Response; readonly text: string }> {
  const ending = new AbortController();
  const onAbort = () => ending.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(onAbort, tryMs);
  try {
    const response = await fetch(url, { ...init, signal: ending.signal });
    return { response, text: await response.text() };
  } catch (error) {
    const { cause, message } = error as Error & { readonly cause?: Error };
    const reason = ending.signal.aborted ? `no answer within ${tryMs} ms` : cause?.message || message;
    throw new UnavailableError(reason, { cause: error });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Undefined for what is no JSON: not hookfleet's, but of something in between. */
function parsed(response: Response, text: string): unknown {
  if (!/^application\/(?:problem\+)?json\b/.test(response.headers.get('content-type') ?? ''))
    return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problemOf({ status, statusText }: Response, told: unknown): Problem {
  const title = statusText === '' ? 'Error' : statusText;
  if (typeof told === 'object' && told !== null) return { type: 'about:blank', title, ...told, status };
  return { type: 'about:blank', title, status, detail: `${status} ${title} is no answer of hookfleet's.` };
}

/** Overload, and faults of the other side or of what stands before it: with keys, repeating is safe. */
function mayWorkLater(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

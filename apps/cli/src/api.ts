/**
 * HTTP to a producer or an aggregator: the only place that calls them. An answer is its JSON; a refusal is thrown with
 * the problem that the API told, and silence as UnreachableError, which names the address and how to give another.
 */
import type { Problem } from '@hookfleet/contract';
import { RefusedError, UnreachableError } from './exit-status.ts';
import { jsonOf } from './json-text.ts';

export type Query = Readonly<Record<string, string | number | undefined>>;

export interface Api {
  readonly url: string;
  get<T>(path: string, query?: Query): Promise<T>;
  /** A JsonText is sent as it is. */
  put<T>(path: string, body: unknown): Promise<T>;
  post<T>(path: string, body?: unknown): Promise<T>;
  /** One webhook a line, as it is. */
  postNdjson<T>(path: string, lines: readonly string[]): Promise<T>;
  delete(path: string): Promise<void>;
}

export interface ApiOptions {
  readonly url: string;
  readonly key: string | undefined;
  /** Of the application, and where its address comes from: for whoever has to mend it. */
  readonly name: 'producer' | 'aggregator';
  readonly variable: string;
}

// The longest that an answer may take: a channel's test of 60 s, and 5 s until a worker takes it.
const ANSWER_WITHIN_MS = 70_000;

export function createApi({ url, key, name, variable }: ApiOptions): Api {
  async function call<T>(
    method: string,
    path: string,
    { query = {}, ...init }: CallOptions = {},
  ): Promise<T> {
    const target = new URL(url.replace(/\/+$/, '') + path);
    for (const [field, value] of Object.entries(query))
      if (value !== undefined) target.searchParams.set(field, String(value));
    let response: Response;
    let text: string;
    try {
      response = await fetch(target, {
        method,
        ...init,
        headers: { ...init.headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) },
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      text = await response.text();
    } catch (error) {
      throw new UnreachableError(
        `the ${name} at ${target.origin} can't be reached (${causeOf(error)}): is it running? --${name} or ${variable} says where`,
      );
    }
    if (!response.ok) throw new RefusedError(problemOf(response, text, name));
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  const withJson = (body: unknown): CallOptions =>
    body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: jsonOf(body) };

  return {
    url,
    get: (path, query = {}) => call('GET', path, { query }),
    put: (path, body) => call('PUT', path, withJson(body)),
    post: (path, body) => call('POST', path, withJson(body)),
    postNdjson: (path, lines) =>
      call('POST', path, {
        headers: { 'content-type': 'application/x-ndjson' },
        body: lines.map((line) => `${line}\n`).join(''),
      }),
    delete: (path) => call('DELETE', path),
  };
}

/** A path below /v1, whatever characters its ids are made of. */
export function pathOf(...segments: readonly string[]): string {
  return `/v1/${segments.map(encodeURIComponent).join('/')}`;
}

interface CallOptions {
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** What isn't problem+json came from something in between, or from something else altogether. */
function problemOf(response: Response, text: string, name: string): Problem {
  const { status, statusText } = response;
  if (response.headers.get('content-type')?.includes('json')) {
    const told = JSON.parse(text) as Partial<Problem> & {
      readonly checks?: Readonly<Record<string, string>>;
    };
    const hint = status === 401 ? ' --key or HOOKFLEET_API_KEYS gives one.' : '';
    return {
      ...told,
      type: told.type ?? 'about:blank',
      title: told.title ?? statusText,
      status,
      detail: `${told.detail ?? failedChecks(told.checks) ?? told.title ?? statusText}${hint}`,
    };
  }
  const detail = `the ${name} answered ${status} ${statusText}, which is no answer of hookfleet's`;
  return { type: 'about:blank', title: statusText, status, detail };
}

/** Of /readyz: what isn't ready, and why. */
function failedChecks(checks: Readonly<Record<string, string>> | undefined): string | undefined {
  if (checks === undefined) return undefined;
  const failed = Object.entries(checks).filter(([, found]) => found !== 'ok');
  return `not ready: ${failed.map(([name, found]) => `${name}: ${found}`).join('; ')}`;
}

function causeOf(error: unknown): string {
  const { cause, message, name } = error as Error & { cause?: NodeJS.ErrnoException };
  if (name === 'TimeoutError') return `no answer within ${ANSWER_WITHIN_MS / 1000} s`;
  return cause?.code ?? cause?.message ?? message;
}

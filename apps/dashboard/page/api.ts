/** Calls of the API that serves this page. Who is signed in is in a cookie, which no script sees. */
import type { Session } from './types.ts';

/** What the API answered instead. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

interface CallOptions {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: object;
  readonly key?: string;
  readonly signal?: AbortSignal;
}

/** `path` is relative to the page, so that a proxy may serve it anywhere. */
export async function call<T>(
  path: string,
  { method = 'GET', body, key, signal }: CallOptions = {},
): Promise<T> {
  const response = await fetch(path, {
    method,
    headers: {
      // A foreign page can't set it: http-api/src/access.ts.
      'x-hookfleet-page': '1',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal !== undefined && { signal }),
  }).catch((error: Error) => {
    if (error.name === 'AbortError') throw error;
    throw new ApiProblem(0, 'The aggregator does not answer.');
  });
  const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  if (response.status === 401 && key === undefined) onSignedOut();
  throw new ApiProblem(
    response.status,
    (answer as { detail?: string } | undefined)?.detail ?? response.statusText,
  );
}

let onSignedOut: () => void = () => undefined;

/** Called where a call finds that nobody is signed in any more. */
export function whenSignedOut(act: () => void): void {
  onSignedOut = act;
}

export const path = {
  campaign: (id: string) => `v1/campaigns/${encodeURIComponent(id)}`,
  channel: (id: string) => `v1/channels/${encodeURIComponent(id)}`,
  webhook: (id: string) => `v1/webhooks/${encodeURIComponent(id)}`,
};

export function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

/** Undefined where nobody is signed in. */
export async function currentSession(): Promise<Session | undefined> {
  try {
    return await call<Session>('v1/session');
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 401) return undefined;
    throw error;
  }
}

export const signIn = (key: string): Promise<Session> => call<Session>('v1/session', { method: 'POST', key });

export const signOut = (): Promise<void> => call<void>('v1/session', { method: 'DELETE' });

/**
 * What an attempt's result means: DESIGN's outcome table as one pure function. A new kind of result, or of failure,
 * breaks the build here, where thought is needed.
 */
import type { AttemptCause, OutcomeEvent, OutcomeReason } from '@hookfleet/contract';

/**
 * Why no response came. `auth`: no token was to be had, and the destination was not asked. `unsendable`: there is no request
 * that could be sent.
 */
export type AttemptFailure = 'dns' | 'connection' | 'tls' | 'timeout' | 'auth' | 'blocked' | 'unsendable';

export type AttemptResult =
  | { readonly kind: 'response'; readonly statusCode: number }
  | { readonly kind: 'failure'; readonly failure: AttemptFailure; readonly cause?: AttemptCause };

export interface Classification {
  readonly event: OutcomeEvent;
  readonly reason?: OutcomeReason;
  /** Without a response that means something: what exactly went wrong. */
  readonly cause?: AttemptCause;
  /** Worth another attempt, if the retry policy has one left. */
  readonly retriable: boolean;
}

// 408 Request Timeout, 425 Too Early, 429 Too Many Requests: the request may succeed as it is, only later.
const RETRIABLE_4XX: ReadonlySet<number> = new Set([408, 425, 429]);

export function classify(result: AttemptResult): Classification {
  if (result.kind === 'response') return classifyStatus(result.statusCode);
  const { failure, cause } = result;
  return { ...classifyFailure(failure), ...(cause !== undefined && { cause }) };
}

function classifyStatus(statusCode: number): Classification {
  if (statusCode >= 200 && statusCode < 300) return { event: 'webhook.delivered', retriable: false };
  if (statusCode >= 300 && statusCode < 400)
    return { event: 'webhook.error', reason: 'redirect', retriable: false };
  if (statusCode === 410) return { event: 'webhook.error', reason: 'gone', retriable: false };
  if (statusCode >= 400 && statusCode < 500) {
    return { event: 'webhook.error', reason: 'http_4xx', retriable: RETRIABLE_4XX.has(statusCode) };
  }
  if (statusCode >= 500 && statusCode < 600)
    return { event: 'webhook.bounced', reason: 'http_5xx', retriable: true };
  // A 1xx as the last word, or a number beyond HTTP's: the destination doesn't speak HTTP, as if it had not answered.
  return {
    event: 'webhook.bounced',
    reason: 'connection',
    cause: { code: 'malformed_response' },
    retriable: true,
  };
}

function classifyFailure(failure: AttemptFailure): Classification {
  switch (failure) {
    case 'dns':
    case 'connection':
    case 'tls':
    case 'timeout':
    // Whatever the token endpoint said: it may be mended while the webhook waits, and a replay would need it mended too.
    case 'auth':
      return { event: 'webhook.bounced', reason: failure, retriable: true };
    case 'blocked':
    case 'unsendable':
      return { event: 'webhook.error', reason: failure, retriable: false };
  }
}

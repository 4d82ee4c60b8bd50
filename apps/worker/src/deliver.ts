/**
 * Makes one attempt: one HTTP request with got, no retries or redirects of its own. Never throws for what a
 * destination does; the result says what came back, or why nothing did.
 *
 * The status decides, once it is there: a body that is slow, endless or broken changes nothing any more. Of the body
 * so much is read as is kept (1 KiB of a response that is no 2xx); what is small enough is read to its end, so that
 * the connection can be used again.
 */
import got, { type Response } from 'got';
import type { AttemptFailure, AttemptResult } from './classify.ts';
import type { GuardedAgents } from './guarded-agents.ts';
import { excerptOf } from './response-excerpt.ts';

// A body beyond this is cut off together with its connection: a new connection is cheaper than reading on.
const BODY_BYTES_MAX = 64 * 1024;
// Phases within the whole deadline: a destination that doesn't even connect shouldn't hold a slot for all of it.
const LOOKUP_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;

export interface AttemptRequest {
  readonly url: string;
  readonly method: 'POST' | 'PUT' | 'PATCH';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For name look-up, connecting, sending, headers and body together. */
  readonly timeoutMs: number;
}

export type Deliver = (request: AttemptRequest) => Promise<AttemptResult>;

export function createDeliver({ http, https }: Pick<GuardedAgents, 'http' | 'https'>): Deliver {
  const client = got.extend({
    agent: { http, https },
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
  });

  return ({ url, method, headers, body, timeoutMs }) => {
    const { promise, resolve } = Promise.withResolvers<AttemptResult>();
    let response: Response | undefined;
    const chunks: Buffer[] = [];
    let length = 0;

    const stream = client.stream(url, {
      method,
      headers,
      body,
      timeout: {
        lookup: Math.min(LOOKUP_TIMEOUT_MS, timeoutMs),
        connect: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        secureConnect: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        request: timeoutMs,
      },
    });

    const end = () => {
      if (response === undefined) return;
      resolve(toResult(response, Buffer.concat(chunks)));
    };
    stream.once('response', (received: Response) => {
      response = received;
    });
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > BODY_BYTES_MAX) {
        end();
        stream.destroy();
      }
    });
    stream.once('end', end);
    stream.once('close', end);
    stream.on('error', (error: Error) => {
      if (response === undefined) resolve({ kind: 'failure', failure: failureOf(error) });
      else end();
    });
    return promise;
  };
}

async function toResult(response: Response, raw: Buffer): Promise<AttemptResult> {
  const { statusCode, headers } = response;
  const retryAfter = headers['retry-after'];
  const isSuccess = statusCode >= 200 && statusCode < 300;
  const responseBody = isSuccess ? undefined : await excerptOf(raw, headers['content-encoding']);
  return {
    kind: 'response',
    statusCode,
    ...(retryAfter !== undefined && { retryAfter }),
    ...(responseBody !== undefined && { responseBody }),
  };
}

// Node's codes for a name that can't be resolved. EAI_AGAIN: the resolver itself is in trouble.
const DNS_CODES = /^(?:ENOTFOUND|EAI_|ENODATA|ESERVFAIL|EREFUSED|ENONAME|EBADNAME)/;
// OpenSSL's and Node's codes for a handshake or a certificate that fails.
const TLS_CODES =
  /^(?:ERR_TLS|ERR_SSL|CERT_|EPROTO|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH_|INVALID_PURPOSE|UNSUPPORTED_CERTIFICATE)/;

/** got's error, or Node's, as a reason. Told by codes and names, never by a message. */
export function failureOf(error: Error & { code?: string; cause?: unknown }): AttemptFailure {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const { name, code = '' } = cause as Error & { code?: string };
    if (code === 'ERR_EGRESS_BLOCKED') return 'blocked';
    if (name === 'TimeoutError' || code === 'ETIMEDOUT' || code === 'ESOCKETTIMEDOUT') return 'timeout';
    if (DNS_CODES.test(code)) return 'dns';
    if (TLS_CODES.test(code)) return 'tls';
  }
  return 'connection';
}

/**
 * Makes one HTTP request with got, no retries or redirects of its own. Never throws for what a destination does; the
 * answer says what came back, or why nothing did, and where the time went.
 *
 * The status decides, once it is there: a body that is slow, endless or broken changes nothing any more. What is small
 * enough is read to its end, so that the connection can be used again. Whatever a destination does, the deadline for
 * the whole ends it: interim responses (1xx) without end too.
 */
import type { ClientRequest, IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { Destination, PhasesMs, Tls } from '@hookfleet/contract';
import got, { type Response } from 'got';
import type { AttemptFailure } from './classify.ts';
import type { EgressAgents } from './egress-agents.ts';

// A body beyond this is cut off together with its connection: a new connection is cheaper than reading on. Counted as
// it comes, before decompression.
const BODY_BYTES_MAX = 64 * 1024;
// Node's own default, set so that no flag of the process moves it. It bounds the number of headers too.
const HEADER_BYTES_MAX = 16 * 1024;
// Phases within the whole deadline: a destination that doesn't even connect shouldn't hold a slot for all of it.
const LOOKUP_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;

export interface AttemptRequest {
  /** Without user and password: they stand in the headers. */
  readonly url: string;
  readonly method: NonNullable<Destination['method']>;
  readonly headers: Readonly<Record<string, string>>;
  /** Not sent with GET. */
  readonly body: string;
  /** For name look-up, connecting, sending, headers and body together. */
  readonly timeoutMs: number;
  readonly tls?: Tls | undefined;
}

export type Answer = (
  | {
      readonly kind: 'response';
      readonly statusCode: number;
      readonly headers: IncomingHttpHeaders;
      /** As it came, cut at 64 KiB. */
      readonly rawBody: Buffer;
    }
  | { readonly kind: 'failure'; readonly failure: AttemptFailure; readonly detail?: string }
) & { readonly phases: PhasesMs };

export type Deliver = (request: AttemptRequest) => Promise<Answer>;

export function createDeliver(agents: EgressAgents): Deliver {
  const client = got.extend({
    agent: agents.direct,
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    maxHeaderSize: HEADER_BYTES_MAX,
  });

  return ({ url, method, headers, body, timeoutMs, tls }) => {
    const proxied = agents.proxied(url);
    if (proxied === 'blocked') return Promise.resolve({ kind: 'failure', failure: 'blocked', phases: {} });
    const { promise, resolve } = Promise.withResolvers<Answer>();
    let request: ClientRequest | undefined;
    let response: Response | undefined;
    const chunks: Buffer[] = [];
    let length = 0;

    const stream = client.stream(url, {
      method,
      headers,
      ...(method !== 'GET' && { body }),
      ...(proxied !== undefined && { agent: proxied }),
      // Each identity has connections of its own: Node's agents name them by it.
      ...(tls !== undefined && { https: toHttpsOptions(tls) }),
      timeout: {
        lookup: Math.min(LOOKUP_TIMEOUT_MS, timeoutMs),
        connect: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        secureConnect: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        request: timeoutMs,
      },
    });
    const phases = () => toPhases(url, request, stream.timings, proxied !== undefined);

    const end = () => {
      if (response === undefined) return;
      const { statusCode, headers: received } = response;
      resolve({
        kind: 'response',
        statusCode,
        headers: received,
        rawBody: Buffer.concat(chunks),
        phases: phases(),
      });
    };
    stream.once('request', (made: ClientRequest) => {
      request = made;
    });
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
    // While a proxy makes its tunnel, Node's request has no socket yet, and can't be ended: the tunnel has four seconds
    // (the agent's), the attempt may have less.
    if (proxied !== undefined) {
      const timer = setTimeout(() => {
        if (response === undefined) resolve({ kind: 'failure', failure: 'timeout', phases: {} });
        stream.destroy();
      }, timeoutMs);
      void promise.then(() => clearTimeout(timer));
    }
    stream.on('error', (error: Error) => {
      if (response === undefined)
        resolve({ kind: 'failure', failure: failureOf(error as FailureCause), phases: phases() });
      else end();
    });
    return promise;
  };
}

function toHttpsOptions({ certificate, key, ca }: Tls) {
  return {
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { certificateAuthority: ca }),
  };
}

/** Phases that did not occur are absent: a connection that is used again was neither looked up nor made. */
function toPhases(
  url: string,
  request: ClientRequest | undefined,
  measured: Response['timings'] | undefined,
  isProxied: boolean,
): PhasesMs {
  if (request === undefined || measured === undefined) return {};
  const { phases, connect, lookup } = measured;
  const firstByte = phases.firstByte === undefined ? {} : { firstByte: phases.firstByte };
  if (request.reusedSocket || connect === undefined) {
    const dns = lookup !== undefined && !request.reusedSocket ? phases.dns : undefined;
    return { ...(dns !== undefined && { dns }), ...firstByte };
  }
  // A proxy's tunnel comes with everything in it: look-up, connections and handshakes are one phase.
  if (isProxied) return { connect: (phases.wait ?? 0) + (phases.dns ?? 0) + (phases.tcp ?? 0), ...firstByte };
  const isLiteral = isIP(new URL(url).hostname.replace(/^\[|\]$/g, '')) !== 0;
  return {
    ...(!isLiteral && phases.dns !== undefined && { dns: phases.dns }),
    ...(phases.tcp !== undefined && { connect: phases.tcp }),
    ...(phases.tls !== undefined && { tls: phases.tls }),
    ...firstByte,
  };
}

// Node's codes for a name that can't be resolved. EAI_AGAIN: the resolver itself is in trouble.
const DNS_CODES = /^(?:ENOTFOUND|EAI_|ENODATA|ESERVFAIL|EREFUSED|ENONAME|EBADNAME)/;
// OpenSSL's and Node's codes for a handshake or a certificate that fails.
const TLS_CODES =
  /^(?:ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|EPROTO|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH_|INVALID_PURPOSE|UNSUPPORTED_CERTIFICATE)/;

interface FailureCause {
  readonly name?: string;
  readonly code?: string;
  readonly cause?: FailureCause;
  /** Of a proxy's answer to CONNECT, and of its silence. */
  readonly statusCode?: number;
  readonly proxyTunnelTimeout?: number;
}

/** got's error, or Node's, as a reason. Told by codes and names, never by a message. */
export function failureOf(error: FailureCause): AttemptFailure {
  for (let cause: FailureCause | undefined = error; cause !== undefined; cause = cause.cause) {
    const { name, code = '', statusCode, proxyTunnelTimeout } = cause;
    if (code === 'ERR_EGRESS_BLOCKED') return 'blocked';
    // A filtering proxy that forbids the destination answers CONNECT with 403.
    if (code === 'ERR_PROXY_TUNNEL' && statusCode === 403) return 'blocked';
    if (
      proxyTunnelTimeout !== undefined ||
      name === 'TimeoutError' ||
      code === 'ETIMEDOUT' ||
      code === 'ESOCKETTIMEDOUT'
    )
      return 'timeout';
    if (DNS_CODES.test(code)) return 'dns';
    if (TLS_CODES.test(code)) return 'tls';
  }
  return 'connection';
}

/** Attempts made with got: what deliver.ts promises, on the keep-alive agents of got-agents.ts. */
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PhasesMs } from '@hookfleet/contract';
import got, { type Got, type Response } from 'got';
import { type AnswerHead, answerHeadOf } from './answer-head.ts';
import {
  type Answer,
  type AttemptRequest,
  authoritiesOf,
  BODY_BYTES_MAX,
  CONNECT_TIMEOUT_MS,
  type Deliver,
  HEADER_BYTES_MAX,
  LOOKUP_TIMEOUT_MS,
  type RequestTls,
} from './deliver.ts';
import { type AttemptPhase, ENDLESS_ANSWER, type FailureCause, failedBy } from './failure-cause.ts';
import { hostOf, serverNameOf } from './egress-route.ts';
import type { GotAgents } from './got-agents.ts';
import { isOrderlyEnd, type Send, type SentAnswer, sendAgainWhereClosed } from './send-again.ts';

const SWITCHING_PROTOCOLS = 101;
// Kinds of attempts that there is a got for: most fleets have a handful.
const CLIENTS_MAX = 100;

export function createDeliverWithGot(agents: GotAgents): Deliver {
  const clients = new Map<string, Got>();

  /** What got is told with each request, it checks and copies with each: so a got for each method and deadline. */
  function clientOf(method: AttemptRequest['method'], timeoutMs: number): Got {
    const kind = `${method} ${timeoutMs}`;
    const client = clients.get(kind) ?? newClient(method, timeoutMs);
    // Put in again: those that were not asked for in the longest time go first. Many are for what a token's fetching left
    // of a deadline, and asked for once.
    clients.delete(kind);
    clients.set(kind, client);
    if (clients.size > CLIENTS_MAX) clients.delete(clients.keys().next().value as string);
    return client;
  }

  function newClient(method: AttemptRequest['method'], timeoutMs: number): Got {
    return got.extend({
      method,
      agent: agents.direct,
      request: requestLean,
      retry: { limit: 0 },
      throwHttpErrors: false,
      followRedirect: false,
      decompress: false,
      timeout: {
        lookup: Math.min(LOOKUP_TIMEOUT_MS, timeoutMs),
        connect: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        secureConnect: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
        request: timeoutMs,
      },
    });
  }

  const send: Send = ({ url, method, headers, body, timeoutMs, tls }, connection) => {
    const proxied = agents.proxied(url);
    const { promise, resolve: settle } = Promise.withResolvers<SentAnswer>();
    const resolve = (answer: Answer, closedOnReuse = false) => settle({ answer, closedOnReuse });
    if (proxied === 'blocked') {
      const address = hostOf(new URL(url));
      const cause = { code: 'address_blocked', address } as const;
      resolve({ kind: 'failure', failure: 'blocked', cause, phases: {} });
      return promise;
    }
    let request: ClientRequest | undefined;
    let response: Response | undefined;
    let head: AnswerHead | undefined;
    const chunks: Buffer[] = [];
    let length = 0;

    const stream = clientOf(method, timeoutMs).stream(url, {
      headers,
      ...(method !== 'GET' && { body }),
      ...(connection === 'new' && { agent: agents.directOnce }),
      ...(proxied !== undefined && { agent: proxied }),
      // Each identity has connections of its own: Node's agents name them by it.
      ...(tls !== undefined && { https: toHttpsOptions(tls) }),
    });
    const phase = () => phaseOf(new URL(url), request, stream.timings, proxied !== undefined);
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
    /** With what can be read of the answer; without a status, with why there is none. */
    const fail = (cause: FailureCause, closedOnReuse = false) => {
      const readable = head?.read();
      if (readable === undefined)
        return resolve({ kind: 'failure', ...failedBy(cause, phase()), phases: phases() }, closedOnReuse);
      resolve({ kind: 'response', ...readable, rawBody: Buffer.alloc(0), phases: phases() });
    };
    const watch = (socket: Socket) => {
      head = answerHeadOf(socket);
      head.begin(() => {
        if (response === undefined) fail(ENDLESS_ANSWER);
        else end();
        stream.destroy();
      });
    };
    stream.once('request', (made: ClientRequest) => {
      request = made;
      if (made.socket === null) made.once('socket', watch);
      else watch(made.socket);
      // Nobody asked for another protocol: got would wait out the deadline for what never comes.
      made.once(
        'upgrade',
        ({ statusCode = SWITCHING_PROTOCOLS, headers: received }: IncomingMessage, socket: Duplex) => {
          socket.destroy();
          resolve({
            kind: 'response',
            statusCode,
            headers: received,
            rawBody: Buffer.alloc(0),
            phases: phases(),
          });
          stream.destroy();
        },
      );
    });
    stream.once('response', (received: Response) => {
      response = received;
      head?.parsed();
      // The connection is not HTTP's from here on: it must not be used again.
      if (received.statusCode === SWITCHING_PROTOCOLS) {
        end();
        stream.destroy();
      }
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
        if (response === undefined) fail({ code: 'ETIMEDOUT' });
        stream.destroy();
      }, timeoutMs);
      void promise.then(() => clearTimeout(timer));
    }
    stream.on('error', (error: Error) => {
      if (response !== undefined) return end();
      const cause = error as FailureCause;
      const isSilent = request?.reusedSocket === true && (head?.bytes ?? 0) === 0;
      fail(cause, isSilent && proxied === undefined && isOrderlyEnd(cause));
    });
    return promise;
  };
  return sendAgainWhereClosed(send);
}

/**
 * Node's request with what we use of got's options. got passes forty, most of them undefined, and Node copies all of them
 * three times on the way to a connection that is open already.
 */
function requestLean(
  url: URL,
  { method, headers, agent, ca, cert, key }: https.RequestOptions,
  callback?: (response: IncomingMessage) => void,
): ClientRequest {
  const options: https.RequestOptions = { method, headers, agent, maxHeaderSize: HEADER_BYTES_MAX };
  if (url.protocol === 'http:') return http.request(url, options, callback);
  if (url.hostname.endsWith('.')) options.servername = serverNameOf(url.hostname);
  if (ca !== undefined) options.ca = ca;
  if (cert !== undefined) options.cert = cert;
  if (key !== undefined) options.key = key;
  return https.request(url, options, callback);
}

function toHttpsOptions(tls: RequestTls) {
  const { certificate, key } = tls;
  const ca = authoritiesOf(tls);
  return {
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { certificateAuthority: ca }),
  };
}

/** What the attempt waits for. */
function phaseOf(
  url: URL,
  request: ClientRequest | undefined,
  measured: Response['timings'] | undefined,
  isProxied: boolean,
): AttemptPhase {
  if (request?.reusedSocket === true) return 'response';
  if (measured?.connect === undefined) {
    const isLookedUp = isProxied || isIP(hostOf(url)) !== 0 || measured?.lookup !== undefined;
    return isLookedUp ? 'connect' : 'name';
  }
  // A tunnel is handed over with TLS in it.
  return url.protocol === 'https:' && !isProxied && measured.secureConnect === undefined ? 'tls' : 'response';
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
  const isLiteral = isIP(hostOf(new URL(url))) !== 0;
  return {
    ...(!isLiteral && phases.dns !== undefined && { dns: phases.dns }),
    ...(phases.tcp !== undefined && { connect: phases.tcp }),
    ...(phases.tls !== undefined && { tls: phases.tls }),
    ...firstByte,
  };
}

/**
 * Attempts made with undici: what deliver.ts promises, on undici's Agent, Pool and Client.
 *
 * An Agent holds a Pool for each origin, a Pool a Client for each connection. There is an Agent for each way out and TLS
 * identity, so that no connection is ever shared between two of them. The egress guard is asked in the connector: about
 * a literal before, about a name's addresses in its look-up.
 *
 * undici hands the attempt's calls on without promises or streams: that is what it saves. It does not tell which
 * connection carries a request; so each Client is made here, with a note of how its connection came to be (Connection),
 * and gives that note to the attempt which it is handed.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { PhasesMs } from '@hookfleet/contract';
import { Agent, buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { type AnswerHead, answerHeadOf } from './answer-head.ts';
import {
  type Answer,
  authoritiesOf,
  BODY_BYTES_MAX,
  CONNECT_TIMEOUT_MS,
  CONNECTION_AGE_MAX_MS,
  type Deliver,
  HEADER_BYTES_MAX,
  IDLE_CONNECTION_MS,
  LOOKUP_TIMEOUT_MS,
  type RequestTls,
} from './deliver.ts';
import { EgressBlockedError } from './egress-guard.ts';
import { createEgressRoute, type EgressOptions, hostOf, serverNameOf } from './egress-route.ts';
import { type AttemptPhase, ENDLESS_ANSWER, type FailureCause, failedBy } from './failure-cause.ts';
import { guardedLookup } from './guarded-lookup.ts';
import { openTunnel, proxyAuthorization } from './open-tunnel.ts';
import { isOrderlyEnd, type Send, type SentAnswer, sendAgainWhereClosed } from './send-again.ts';

const CLIENT_OPTIONS = {
  pipelining: 1,
  allowH2: false,
  // The parser that node:http has too; the other one is an experiment.
  useMilo: false,
  keepAliveTimeout: IDLE_CONNECTION_MS,
  keepAliveMaxTimeout: IDLE_CONNECTION_MS,
  keepAliveTimeoutThreshold: 1_000,
  maxHeaderSize: HEADER_BYTES_MAX,
  // undici's timers are coarse, and start anew with each piece: the attempt's own deadline holds for all of it.
  headersTimeout: 0,
  bodyTimeout: 0,
} as const satisfies Client.Options;

// TLS identities whose connections are kept. The one that was used longest ago is closed, when its attempts have ended.
const AGENTS_MAX = 1_000;

/** How a Client's connection came to be; a Client has one at a time, and may make another. */
interface Connection {
  /** When it was begun, by performance.now(). */
  startedAtMs: number;
  phases: PhasesMs;
  /** Requests that were sent on it. */
  requests: number;
  /** Of the answers that come on it; absent until it is made. */
  head?: AnswerHead | undefined;
  /** Ends the making of it; absent when it is made. */
  giveUp?: ((error: Error) => void) | undefined;
}

/** `once`: directly, on a connection that is used for one request. */
type Way = 'direct' | 'once' | 'proxied';

interface AttemptHandler extends Dispatcher.DispatchHandler {
  carriedBy(connection: Connection): void;
}

type Connect = (
  target: buildConnector.Options,
  connection: Connection,
  callback: buildConnector.Callback,
) => void;

export function openDeliverWithUndici(
  options: EgressOptions,
  agentsMax = AGENTS_MAX,
): { deliver: Deliver; close(): void } {
  const { guard, proxies, connectionsPerDestinationMax } = options;
  const { connectionAgeMaxMs = CONNECTION_AGE_MAX_MS } = options;
  const routeOf = createEgressRoute(guard, proxies);
  const agents = new Map<string, Agent>();
  const httpProxy = proxies.httpProxy === undefined ? undefined : new URL(proxies.httpProxy);
  const forwardAuthorization = httpProxy && proxyAuthorization(httpProxy);

  function agentOf(way: Way, tls: RequestTls | undefined): Agent {
    const key =
      tls === undefined ? way : JSON.stringify([way, tls.certificate, tls.key, tls.ca, tls.alsoPublic]);
    const route = way === 'proxied' ? way : 'direct';
    const agent =
      agents.get(key) ??
      createAgent(connectorOf(route, tls, options), connectionsPerDestinationMax, connectionAgeMaxMs);
    // The latest used last: the first is the one to close.
    agents.delete(key);
    agents.set(key, agent);
    const [oldest] = agents.size > agentsMax ? agents : [];
    if (oldest !== undefined) {
      agents.delete(oldest[0]);
      // It is refused only where the agent is closed already.
      oldest[1].close().catch(() => undefined);
    }
    return agent;
  }

  const send: Send = ({ url: text, method, headers, body, timeoutMs, tls }, connection) => {
    const url = new URL(text);
    const route = routeOf(url);
    const { promise, resolve } = Promise.withResolvers<SentAnswer>();
    if (route === 'blocked') {
      const cause = { code: 'address_blocked', address: hostOf(url) } as const;
      const answer = { kind: 'failure', failure: 'blocked', cause, phases: {} } as const;
      resolve({ answer, closedOnReuse: false });
      return promise;
    }
    const isSecure = url.protocol === 'https:';
    const isForwarded = route === 'proxied' && !isSecure;
    const isOnce = route === 'direct' && connection === 'new';
    const path = `${url.pathname}${url.search}`;
    agentOf(isOnce ? 'once' : route, isSecure ? tls : undefined).dispatch(
      {
        origin: url.origin,
        path: isForwarded ? `${url.origin}${path}` : path,
        method,
        headers:
          isForwarded && forwardAuthorization !== undefined
            ? { ...headers, 'proxy-authorization': forwardAuthorization }
            : headers,
        body: method === 'GET' ? null : body,
        ...(isOnce && { reset: true }),
      },
      createAttempt(url, timeoutMs, route === 'proxied', resolve),
    );
    return promise;
  };

  return {
    deliver: sendAgainWhereClosed(send),
    close() {
      for (const agent of agents.values()) agent.destroy().catch(() => undefined);
      agents.clear();
    },
  };
}

function createAgent(connect: Connect, connectionsMax: number, ageMaxMs: number): Agent {
  return new Agent({
    factory: (origin) =>
      new Pool(origin, {
        connections: connectionsMax,
        allowH2: false,
        factory: (url) => createClient(url, connect, ageMaxMs),
      }),
  });
}

function createClient(origin: URL, connect: Connect, ageMaxMs: number): Client {
  const connection: Connection = { startedAtMs: 0, phases: {}, requests: 0 };
  const client = new Client(origin, {
    ...CLIENT_OPTIONS,
    connect(target, callback) {
      connection.startedAtMs = performance.now();
      connection.phases = {};
      connection.requests = 0;
      return connect(target, connection, (...result) => {
        connection.giveUp = undefined;
        const [error, socket] = result;
        connection.head = error === null && socket !== null ? answerHeadOf(socket) : undefined;
        callback(...result);
      });
    },
  });
  const dispatch = client.dispatch.bind(client);
  client.dispatch = (options, handler) => {
    (handler as AttemptHandler).carriedBy(connection);
    const isOld = connection.requests > 0 && performance.now() - connection.startedAtMs > ageMaxMs;
    return dispatch(isOld ? { ...options, reset: true } : options, handler);
  };
  return client;
}

/** Directly, to a destination; or to the proxy, through it where TLS is spoken with the destination itself. */
function connectorOf(
  route: 'direct' | 'proxied',
  tls: RequestTls | undefined,
  { guard, resolve, proxies }: EgressOptions,
): Connect {
  const common = { allowH2: false, timeout: CONNECT_TIMEOUT_MS };
  const identity = { cert: tls?.certificate, key: tls?.key, ca: tls && authoritiesOf(tls) };
  if (route === 'direct') {
    const make = buildConnector({ ...common, ...identity, lookup: guardedLookup(guard, resolve) });
    return (target, connection, callback) => {
      const { hostname } = target;
      const isLiteral = isIP(hostname) !== 0;
      if (isLiteral && !guard.allows(hostname))
        return process.nextTick(callback, new EgressBlockedError(hostname), null);
      watch(madeBy(make, named(target), callback), connection, isLiteral);
    };
  }
  const [httpsProxy, httpProxy] = [proxies.httpsProxy, proxies.httpProxy].map((text) =>
    text === undefined ? undefined : new URL(text),
  );
  const toProxy = buildConnector(common);
  const throughTunnel = buildConnector({ ...common, ...identity });
  return (target, connection, callback) => {
    if (target.protocol === 'https:' && httpsProxy !== undefined) {
      const authority = target.port === '' ? `${target.host}:443` : `${target.host}`;
      connection.giveUp = openTunnel(httpsProxy, authority, CONNECT_TIMEOUT_MS, (error, socket) => {
        if (socket === null) return callback(error ?? new Error('no tunnel'), null);
        const secured = madeBy(throughTunnel, { ...named(target), httpSocket: socket }, callback);
        connection.giveUp = (reason) => secured.destroy(reason);
      });
    } else if (httpProxy !== undefined) {
      const { host, protocol, port } = httpProxy;
      const hostname = hostOf(httpProxy);
      const servername = isIP(hostname) === 0 ? { servername: hostname } : {};
      const socket = madeBy(toProxy, { hostname, host, protocol, port, ...servername }, callback);
      connection.giveUp = (reason) => socket.destroy(reason);
    }
  };
}

function named(target: buildConnector.Options): buildConnector.Options {
  const { protocol, hostname } = target;
  if (protocol !== 'https:' || !hostname.endsWith('.')) return target;
  return { ...target, servername: serverNameOf(hostname) };
}

/** undici's types keep quiet about it, and its Client depends on it: a connector gives the socket that it makes. */
function madeBy(
  make: buildConnector.connector,
  target: buildConnector.Options,
  callback: buildConnector.Callback,
): Socket {
  return make(target, callback) as unknown as Socket;
}

/** Notes where the time goes that a connection takes, and limits its look-up. */
function watch(socket: Socket, connection: Connection, isLiteral: boolean): void {
  const { phases } = connection;
  let sinceMs = connection.startedAtMs;
  const note = (phase: 'dns' | 'connect' | 'tls') => {
    const nowMs = performance.now();
    phases[phase] = nowMs - sinceMs;
    sinceMs = nowMs;
  };
  socket.once('connect', () => note('connect'));
  socket.once('secureConnect', () => note('tls'));
  connection.giveUp = (reason) => socket.destroy(reason);
  if (isLiteral) return;
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error('the name took too long'), { code: 'ETIMEDOUT' })),
    LOOKUP_TIMEOUT_MS,
  );
  socket.once('close', () => clearTimeout(timer));
  socket.once('lookup', () => {
    clearTimeout(timer);
    note('dns');
  });
}

// Of attempts that have their answer: nobody reads it.
const OVER = new Error('the attempt is over');

function createAttempt(
  url: URL,
  timeoutMs: number,
  isProxied: boolean,
  resolve: (sent: SentAnswer) => void,
): AttemptHandler {
  const startedAtMs = performance.now();
  let connection: Connection | undefined;
  let head: AnswerHead | undefined;
  let isReused = false;
  let controller: Dispatcher.DispatchController | undefined;
  let response: { readonly statusCode: number; readonly headers: IncomingHttpHeaders } | undefined;
  let isOver = false;
  let sentAtMs = 0;
  let firstByteAtMs = 0;
  const chunks: Buffer[] = [];
  let length = 0;

  /** Phases that did not occur are absent: a connection that is used again was neither looked up nor made. */
  function phases(): PhasesMs {
    const firstByte = firstByteAtMs === 0 ? {} : { firstByte: firstByteAtMs - sentAtMs };
    if (connection === undefined || connection.startedAtMs < startedAtMs) return firstByte;
    // A proxy's tunnel comes with everything in it: look-up, connections and handshakes are one phase.
    if (isProxied) return controller === undefined ? {} : { connect: sentAtMs - startedAtMs, ...firstByte };
    return { ...connection.phases, ...firstByte };
  }

  /** What the attempt waits for. */
  function phase(): AttemptPhase {
    if (controller !== undefined) return 'response';
    const made = connection?.phases ?? {};
    if (made.connect !== undefined) return 'tls';
    const isLookedUp = isProxied || isIP(hostOf(url)) !== 0 || made.dns !== undefined;
    return isLookedUp ? 'connect' : 'name';
  }

  /** With the response, where there is one; or with why there is none. */
  function end(error: FailureCause = {}, tell = resolve): void {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    const [only = Buffer.alloc(0)] = chunks;
    const readable = response ?? head?.read();
    const answer: Answer =
      readable === undefined
        ? { kind: 'failure', ...failedBy(error, phase()), phases: phases() }
        : {
            kind: 'response',
            ...readable,
            rawBody: chunks.length < 2 ? only : Buffer.concat(chunks),
            phases: phases(),
          };
    const isSilent = isReused && !isProxied && head?.bytes === 0;
    tell({ answer, closedOnReuse: readable === undefined && isSilent && isOrderlyEnd(error) });
  }

  const timer = setTimeout(() => {
    end({ code: 'ETIMEDOUT' });
    if (controller === undefined) connection?.giveUp?.(OVER);
    else controller.abort(OVER);
  }, timeoutMs);

  return {
    carriedBy(carrier) {
      connection = carrier;
    },
    onRequestStart(started) {
      // It waited for a connection until it was too late: nothing has been sent, and nothing will be.
      if (isOver) return started.abort(OVER);
      controller = started;
      isReused = connection !== undefined && connection.requests > 0;
      if (connection !== undefined) connection.requests += 1;
      head = connection?.head;
      head?.begin(() => {
        end(ENDLESS_ANSWER);
        started.abort(OVER);
      });
      sentAtMs = performance.now();
    },
    onResponseStart(_, statusCode, headers) {
      if (statusCode < 200) return;
      firstByteAtMs = performance.now();
      head?.parsed();
      response = { statusCode, headers: asNodeGivesThem(headers) };
    },
    onResponseData(received, chunk) {
      chunks.push(chunk);
      length += chunk.length;
      if (length <= BODY_BYTES_MAX) return;
      end();
      received.abort(OVER);
    },
    // undici frees the connection in an immediate of its own, right after this call. What is sent next to the same
    // destination would open another one, if it did not come after that.
    onResponseEnd: () => end({}, (sent) => queueMicrotask(() => setImmediate(resolve, sent))),
    onResponseError: (_, error) => end(error as FailureCause),
  };
}

// Of the headers that an answer may have, those of which node:http takes the first where there are many.
const TAKEN_ONCE = new Set([
  'age',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'server',
]);

/** undici lists a header's values where it comes more than once; node:http joins them, but for set-cookie's. */
function asNodeGivesThem(headers: Record<string, string | string[] | undefined>): IncomingHttpHeaders {
  for (const [name, value] of Object.entries(headers)) {
    if (Array.isArray(value) && name !== 'set-cookie')
      headers[name] = TAKEN_ONCE.has(name) ? value[0] : value.join(', ');
    else if (typeof value === 'string' && name === 'set-cookie') headers[name] = [value];
  }
  return headers;
}

/**
 * got's ways out: keep-alive agents that ask the egress guard at the moment of connecting, and where the operator has an
 * egress proxy, agents that go through it.
 */
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { CONNECTION_AGE_MAX_MS, IDLE_CONNECTION_MS } from './deliver.ts';
import { EgressBlockedError, type EgressGuard } from './egress-guard.ts';
import { createEgressRoute, type EgressOptions } from './egress-route.ts';
import { guardedLookup } from './guarded-lookup.ts';

export interface AgentPair {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

export interface GotAgents {
  readonly direct: AgentPair;
  /** The same, with connections that are used for one request. */
  readonly directOnce: AgentPair;
  /** Where the URL is to be reached through a proxy: its agents, or that the guard forbids it. */
  proxied(url: string): AgentPair | 'blocked' | undefined;
  destroy(): void;
}

type Callback = (error: Error | null, stream: Duplex) => void;

export function createGotAgents({
  guard,
  connectionsPerDestinationMax,
  connectionAgeMaxMs = CONNECTION_AGE_MAX_MS,
  proxies,
  resolve,
}: EgressOptions): GotAgents {
  const options = {
    keepAlive: true,
    maxSockets: connectionsPerDestinationMax,
    maxFreeSockets: connectionsPerDestinationMax,
    scheduling: 'lifo',
    timeout: IDLE_CONNECTION_MS,
  } as const;
  const direct = guardedAgents(guardedLookup(guard, resolve), guard, options);
  boundAge(direct, connectionAgeMaxMs);
  const directOnce = guardedAgents(guardedLookup(guard, resolve), guard, {
    maxSockets: connectionsPerDestinationMax,
  });
  const { httpsProxy, httpProxy } = proxies;
  if (httpsProxy === undefined && httpProxy === undefined)
    return { direct, directOnce, proxied: () => undefined, destroy: () => destroyAll(direct, directOnce) };

  // Node's own support: CONNECT for https, absolute-form for http. What bypasses the proxy is ours to say.
  const proxyEnv = { HTTPS_PROXY: httpsProxy, HTTP_PROXY: httpProxy };
  const viaProxy = {
    http: new http.Agent({ ...options, proxyEnv }),
    https: new https.Agent({ ...options, proxyEnv }),
  };
  boundAge(viaProxy, connectionAgeMaxMs);
  const routeOf = createEgressRoute(guard, proxies);
  return {
    direct,
    directOnce,
    proxied(url) {
      const route = routeOf(new URL(url));
      return route === 'proxied' ? viaProxy : route === 'direct' ? undefined : route;
    },
    destroy: () => destroyAll(direct, directOnce, viaProxy),
  };
}

function guardedAgents(
  lookup: net.LookupFunction,
  guard: EgressGuard,
  agentOptions: https.AgentOptions,
): AgentPair {
  const options = { ...agentOptions, lookup };
  const agents = { http: new http.Agent(options), https: new https.Agent(options) };
  for (const agent of Object.values(agents)) {
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (connection: http.ClientRequestArgs, callback?: Callback) => {
      const host = connection.host ?? '';
      if (net.isIP(host) !== 0 && !guard.allows(host)) return blockedSocket(host);
      return connect({ ...connection, lookup }, callback);
    };
  }
  return agents;
}

/** Before the agent gives a free connection to the next request. From the first one's end on. */
function boundAge(pair: AgentPair, ageMaxMs: number): void {
  const freeSinceMs = new WeakMap<net.Socket, number>();
  for (const agent of Object.values(pair) as http.Agent[])
    agent.prependListener('free', (socket: net.Socket) => {
      const sinceMs = freeSinceMs.get(socket);
      if (sinceMs === undefined) freeSinceMs.set(socket, performance.now());
      else if (performance.now() - sinceMs > ageMaxMs) socket.destroy();
    });
}

function destroyAll(...pairs: readonly AgentPair[]): void {
  for (const pair of pairs) {
    pair.http.destroy();
    pair.https.destroy();
  }
}

/** A socket that never connects: the request gets the error as it would get a refused connection's. */
function blockedSocket(host: string): net.Socket {
  const socket = new net.Socket();
  process.nextTick(() => socket.destroy(new EgressBlockedError(host)));
  return socket;
}

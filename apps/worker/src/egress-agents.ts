/**
 * The ways out: keep-alive agents that ask the egress guard at the moment of connecting, and where the operator has an
 * egress proxy, agents that go through it.
 *
 * Direct: Node calls `lookup` for names only, so literals are checked before; a name's every address must be allowed,
 * for any of them may be used.
 * Through a proxy: the proxy resolves names, so the guard sees literals only, and names that mean this host. Whether a
 * name leads to an address that is allowed is then the proxy's to judge. Where the proxy itself is, is the operator's
 * word, and not asked about.
 */
import dns from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import net, { type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { EgressBlockedError, type EgressGuard } from './egress-guard.ts';
import { createProxyBypass, type ProxySettings } from './proxy-settings.ts';

export interface AgentPair {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

export interface EgressAgents {
  readonly direct: AgentPair;
  /** Where the URL is to be reached through a proxy: its agents, or that the guard forbids it. */
  proxied(url: string): AgentPair | 'blocked' | undefined;
  destroy(): void;
}

export interface EgressAgentsOptions {
  readonly guard: EgressGuard;
  readonly connectionsPerDestinationMax: number;
  readonly proxies: ProxySettings;
}

// Connections kept per destination while nothing is sent, and for how long. Longer than most servers' 5 s would
// only find them closed; Node also heeds a server's own Keep-Alive hint.
const FREE_SOCKETS_MAX = 64;
const FREE_SOCKET_TIMEOUT_MS = 4_000;

type Callback = (error: Error | null, stream: Duplex) => void;

export function createEgressAgents({
  guard,
  connectionsPerDestinationMax,
  proxies,
}: EgressAgentsOptions): EgressAgents {
  const options = {
    keepAlive: true,
    maxSockets: connectionsPerDestinationMax,
    maxFreeSockets: FREE_SOCKETS_MAX,
    scheduling: 'lifo',
    timeout: FREE_SOCKET_TIMEOUT_MS,
  } as const;
  const direct = guardedAgents(guard, options);
  const { httpsProxy, httpProxy, noProxy } = proxies;
  if (httpsProxy === undefined && httpProxy === undefined)
    return { direct, proxied: () => undefined, destroy: () => destroyAll(direct) };

  // Node's own support: CONNECT for https, absolute-form for http. What bypasses the proxy is ours to say.
  const proxyEnv = { HTTPS_PROXY: httpsProxy, HTTP_PROXY: httpProxy };
  const viaProxy = {
    http: new http.Agent({ ...options, proxyEnv }),
    https: new https.Agent({ ...options, proxyEnv }),
  };
  const bypasses = createProxyBypass(noProxy);
  return {
    direct,
    proxied(text) {
      const url = new URL(text);
      const proxy = url.protocol === 'https:' ? httpsProxy : httpProxy;
      if (proxy === undefined || bypasses(url)) return undefined;
      const host = url.hostname.replace(/^\[|\]$/g, '');
      return net.isIP(host) !== 0 && !guard.allows(host) ? 'blocked' : viaProxy;
    },
    destroy: () => destroyAll(direct, viaProxy),
  };
}

function guardedAgents(guard: EgressGuard, agentOptions: https.AgentOptions): AgentPair {
  const lookup = guardedLookup(guard);
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

export function guardedLookup(guard: EgressGuard, resolve: typeof dns.lookup = dns.lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const blocked = addresses.find(({ address }) => !guard.allows(address));
      if (blocked !== undefined) return callback(new EgressBlockedError(blocked.address), '');
      if (options.all) return callback(null, addresses);
      const [first] = addresses;
      if (first === undefined)
        return callback(Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' }), '');
      callback(null, first.address, first.family);
    });
  };
}

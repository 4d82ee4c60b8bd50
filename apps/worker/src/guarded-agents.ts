/**
 * Keep-alive agents that ask the egress guard at the moment of connecting. Node calls `lookup` for names only, so
 * literals are checked before; a name's every address must be allowed, for any of them may be used.
 */
import dns from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import net, { type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { EgressBlockedError, type EgressGuard } from './egress-guard.ts';

export interface GuardedAgents {
  readonly http: http.Agent;
  readonly https: https.Agent;
  destroy(): void;
}

// Connections kept per destination while nothing is sent, and for how long. Longer than most servers' 5 s would
// only find them closed; Node also heeds a server's own Keep-Alive hint.
const FREE_SOCKETS_MAX = 64;
const FREE_SOCKET_TIMEOUT_MS = 4_000;

type Callback = (error: Error | null, stream: Duplex) => void;

export function createGuardedAgents(guard: EgressGuard, connectionsPerDestinationMax: number): GuardedAgents {
  const lookup = guardedLookup(guard);
  const options = {
    keepAlive: true,
    maxSockets: connectionsPerDestinationMax,
    maxFreeSockets: FREE_SOCKETS_MAX,
    scheduling: 'lifo',
    timeout: FREE_SOCKET_TIMEOUT_MS,
    lookup,
  } as const;
  const agents = { http: new http.Agent(options), https: new https.Agent(options) };
  for (const agent of Object.values(agents)) {
    const connect = agent.createConnection.bind(agent);
    agent.createConnection = (connection: http.ClientRequestArgs, callback?: Callback) => {
      const host = connection.host ?? '';
      if (net.isIP(host) !== 0 && !guard.allows(host)) return blockedSocket(host);
      return connect({ ...connection, lookup }, callback);
    };
  }
  return {
    ...agents,
    destroy() {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
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

/**
 * Connections to Redis: one address, or a comma-separated list for Redis Cluster; rediss:// for TLS.
 * Two tempers: `patient` waits out an outage and sends again what was not answered (workers, aggregators: what they
 * write is safe to repeat); `failFast` gives up within a second and a half (producers: a caller waits for the answer).
 */
import { Cluster, Redis } from 'ioredis';

export type RedisConnection = Redis | Cluster;

// A dead connection is tried again this often at most. ioredis' own backoff delayed recovery by up to 17 s here.
const RECONNECT_DELAY_MAX_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
// After a disconnect, a socket that does not close is destroyed. ioredis' own 2 s would hold a process that ends.
const DISCONNECT_TIMEOUT_MS = 100;
// The producer promises an answer within 2 s: a command gets 1.5 s of them.
const COMMAND_TIMEOUT_MS = 1_500;

export interface ConnectOptions {
  readonly url: string;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  readonly temper: 'patient' | 'failFast';
  /** Called on each failure to connect; the connection keeps trying. */
  readonly onError: (error: Error) => void;
}

export function connectRedis({ url, name, temper, onError }: ConnectOptions): RedisConnection {
  const addresses = url.split(',').map((address) => parseAddress(address.trim()));
  const [first] = addresses;
  if (first === undefined) throw new TypeError('a Redis URL is needed');
  const options = {
    connectionName: name,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    noDelay: true,
    maxRetriesPerRequest: temper === 'patient' ? null : 0,
    retryStrategy: reconnectDelayMs,
    ...(temper === 'failFast' && {
      enableOfflineQueue: false,
      // A command that the caller was told had failed must not be sent again behind their back.
      autoResendUnfulfilledCommands: false,
      commandTimeout: COMMAND_TIMEOUT_MS,
    }),
  };
  const connection =
    addresses.length === 1
      ? new Redis({ ...options, ...first })
      : new Cluster(
          addresses.map(({ host, port }) => ({ host, port })),
          clusterOptions(options, first, temper),
        );
  connection.on('error', onError);
  return connection;
}

/** Closes without waiting for a Redis that may be away. */
export function disconnectRedis(connection: RedisConnection): void {
  connection.disconnect();
}

function clusterOptions(redisOptions: object, first: Address, temper: ConnectOptions['temper']) {
  const { host: _host, port: _port, ...credentials } = first;
  return {
    redisOptions: { ...redisOptions, ...credentials },
    clusterRetryStrategy: reconnectDelayMs,
    enableOfflineQueue: temper === 'patient',
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    // TLS certificates are issued for names; keep what the cluster announces.
    dnsLookup: (address: string, callback: (error: null, address: string) => void) => callback(null, address),
  };
}

function reconnectDelayMs(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_DELAY_MAX_MS);
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: { readonly servername: string };
}

/** Throws a TypeError that shows no password. */
export function parseAddress(text: string): Address {
  if (!URL.canParse(text)) throw new TypeError('not a redis:// or rediss:// URL');
  const url = new URL(text);
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw new TypeError(`${url.protocol}// is not redis:// or rediss://`);
  const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  const db = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0;
  if (!Number.isInteger(db) || db < 0) throw new TypeError('the path of a Redis URL is a database number');
  return {
    host,
    port: url.port === '' ? 6379 : Number(url.port),
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(db !== 0 && { db }),
    ...(url.protocol === 'rediss:' && { tls: { servername: host } }),
  };
}

// What Redis answers when it can't take writes now, though it is there.
const REFUSALS =
  /^(?:OOM|LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MISCONF|NOREPLICAS|BUSY|UNBLOCKED)\b/;
const CONNECTION_ERRORS =
  /Connection is closed|Stream isn't writeable|Command timed out|max retries per request|Cluster isn't ready|None of startup nodes|Failed to refresh slots|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND/i;

/** Is it Redis that is away or refuses, rather than we who are wrong? The same call may work in a moment. */
export function isRedisUnavailable(error: Error): boolean {
  // ioredis gives its connection errors no code: their text is all there is.
  return (
    error.name === 'MaxRetriesPerRequestError' ||
    error.name === 'ClusterAllFailedError' ||
    REFUSALS.test(error.message) ||
    CONNECTION_ERRORS.test(`${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}`)
  );
}

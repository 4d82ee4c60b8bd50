/**
 * Connections to Redis: to one, to a cluster, or to the master that sentinels name (redis-url.ts has the forms).
 * Two tempers: `patient` waits out an outage and sends again what was not answered (workers, aggregators: what they
 * write is safe to repeat); `failFast` gives up within a second and a half (producers: a caller waits for the answer).
 */
import { isIP } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import {
  AbstractConnector,
  Cluster,
  Redis,
  type RedisOptions,
  type SentinelConnectionOptions,
  SentinelConnector,
} from 'ioredis';
import { parseRedisUrl, type RedisTarget, type SentinelTarget } from './redis-url.ts';

export type RedisConnection = Redis | Cluster;

/** Replies come as they always did. */
type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

// A dead connection is tried again this often at most. ioredis' own backoff delayed recovery by up to 17 s here.
const RECONNECT_DELAY_MAX_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
// After a disconnect, a socket that does not close is destroyed. ioredis' own 2 s would hold a process that ends.
const DISCONNECT_TIMEOUT_MS = 100;
// The producer promises an answer within 2 s: a command gets 1.5 s of them.
const COMMAND_TIMEOUT_MS = 1_500;
// A connection that has gone silent with a command on its way, as where a machine or a firewall on the way is gone
// without a word, is given up. Patience must outlast a fetch that blocks on an empty queue (BullMQ: up to 10 s) and end
// well before a job's lock (HOOKFLEET_LOCK_DURATION, 40 s) does. TCP by itself takes up to a quarter of an hour.
const SILENCE_MAX_MS = { patient: 12_000, failFast: 2_500 } as const;
// Of so many sentinels a connection hears of a failover: one that is away or late must not keep it from it.
const SENTINELS_HEARD_MAX = 3;

export interface ConnectOptions {
  /** As parseRedisUrl reads it. */
  readonly url: string;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  readonly temper: 'patient' | 'failFast';
  /** A connection that is silent for so long, with a command on its way, is given up. Default: by its temper. */
  readonly silenceMaxMs?: number;
  /** Called on each failure to connect; the connection keeps trying. */
  readonly onError: (error: Error) => void;
}

export function connectRedis({
  url,
  name,
  temper,
  silenceMaxMs = SILENCE_MAX_MS[temper],
  onError,
}: ConnectOptions): RedisConnection {
  const target = parseRedisUrl(url);
  const options = {
    connectionName: name,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    socketTimeout: silenceMaxMs,
    noDelay: true,
    maxRetriesPerRequest: temper === 'patient' ? null : 0,
    retryStrategy: reconnectDelayMs,
    // The master of a moment ago: the address leads to another one now, whether a name, an endpoint or a sentinel knows it.
    // Nothing was written: a patient command is sent again.
    reconnectOnError: (error: Error) => FORMER_MASTER.test(error.message) && (temper === 'patient' ? 2 : 1),
    ...(temper === 'failFast' && {
      enableOfflineQueue: false,
      // A command that the caller was told had failed must not be sent again behind their back.
      autoResendUnfulfilledCommands: false,
      commandTimeout: COMMAND_TIMEOUT_MS,
    }),
  };
  const connection = open(target, options, temper);
  connection.on('error', onError);
  return connection;
}

// UNBLOCKED ends a command that blocks when its master becomes a replica.
const FORMER_MASTER = /\b(?:READONLY|UNBLOCKED)\b/;

function open(
  target: RedisTarget,
  options: ConnectionOptions,
  temper: ConnectOptions['temper'],
): RedisConnection {
  switch (target.kind) {
    case 'single':
      return new Redis({ ...options, ...target.address });
    case 'cluster':
      return settlesConnects(
        new Cluster([...target.nodes], clusterOptions({ ...options, ...target.access }, temper)),
      );
    case 'sentinel':
      return new Redis({ ...options, ...sentinelOptions(target) });
  }
}

/** Closes without waiting for a Redis that may be away. */
export function disconnectRedis(connection: RedisConnection): void {
  connection.disconnect();
}

function clusterOptions(redisOptions: ConnectionOptions, temper: ConnectOptions['temper']) {
  return {
    redisOptions: { ...redisOptions, ...(redisOptions.tls && { Connector: TlsNodeConnector }) },
    clusterRetryStrategy: reconnectDelayMs,
    enableOfflineQueue: temper === 'patient',
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
    // TLS certificates are issued for names; keep what the cluster announces.
    dnsLookup: (address: string, callback: (error: null, address: string) => void) => callback(null, address),
  };
}

/**
 * To a node of a cluster, in TLS. ioredis gives all nodes the same TLS options, and so one name that the certificates are
 * checked against. Here each node shows a certificate for the name or address under which it is connected, which is what
 * the cluster announces, and is told that name (SNI).
 */
class TlsNodeConnector extends AbstractConnector {
  readonly #options: TlsNodeOptions;

  constructor(options: unknown) {
    super((options as TlsNodeOptions).disconnectTimeout);
    this.#options = options as TlsNodeOptions;
  }

  override async connect(): Promise<TLSSocket> {
    const { host, port, tls } = this.#options;
    this.connecting = true;
    // As ioredis does: whoever connects may disconnect at once.
    await new Promise((resolve) => process.nextTick(resolve));
    if (!this.connecting) throw new Error('Connection is closed.');
    // Without it, the certificate is checked against the host. A name only: addresses are no server names (RFC 6066, 3).
    const stream = connectTls({ ...tls, host, port, ...(isIP(host) === 0 && { servername: host }) });
    this.stream = stream;
    stream.once('error', (error) => {
      this.firstError = error;
    });
    return stream;
  }
}

interface TlsNodeOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: NonNullable<RedisOptions['tls']>;
  readonly disconnectTimeout: number;
}

/**
 * If the cluster has failed when a client connects, ioredis (6.0.0) tries again until it succeeds, but the promise of that
 * connect() never settles. BullMQ awaits it for its blocking connection and reads nothing until then. Here it settles when
 * the connection is ready or has ended.
 */
function settlesConnects(cluster: Cluster): Cluster {
  const connect = cluster.connect.bind(cluster);
  const duplicate = cluster.duplicate.bind(cluster);
  // One for all tries: there may be thousands before the cluster is well.
  let ready: Promise<void> | undefined;
  function untilReady(): Promise<void> {
    ready ??= new Promise<void>((resolve, reject) => {
      function settled(): void {
        ready = undefined;
        cluster.off('ready', onReady).off('end', onEnd);
      }
      function onReady(): void {
        settled();
        resolve();
      }
      function onEnd(): void {
        settled();
        reject(new Error('Connection is closed.'));
      }
      cluster.on('ready', onReady).on('end', onEnd);
    });
    return ready;
  }
  cluster.connect = () => Promise.race([connect(), untilReady()]);
  cluster.duplicate = ((...args: Parameters<typeof duplicate>) =>
    settlesConnects(duplicate(...args))) as Cluster['duplicate'];
  return cluster;
}

/**
 * Once told of a failover, ioredis' detector ends the connection's present socket. It is at work still while the
 * connection looks for the new master, as after a kill it mostly does; told then, the connection (6.0.0) ends for good.
 * So its time is over when that begins; the next socket gets another.
 */
class MasterConnector extends SentinelConnector {
  constructor(options: unknown) {
    super(options as SentinelConnectionOptions);
  }

  override connect(emitError: Parameters<SentinelConnector['connect']>[0]) {
    this['failoverDetector']?.cleanup();
    return super.connect(emitError);
  }
}

/**
 * A connection follows the master: the sentinels tell it of a failover, whereupon it leaves the old master, which may
 * know nothing of it yet and accept what will be lost; each time that it connects it asks them anew, and the answer's
 * role must be master.
 */
function sentinelOptions({
  sentinels,
  masterName,
  access,
  sentinelAccess,
}: SentinelTarget): ConnectionOptions {
  return {
    ...access,
    sentinels: [...sentinels],
    name: masterName,
    ...(sentinelAccess.username !== undefined && { sentinelUsername: sentinelAccess.username }),
    ...(sentinelAccess.password !== undefined && { sentinelPassword: sentinelAccess.password }),
    ...(access.tls !== undefined && { enableTLSForSentinelMode: true, sentinelTLS: access.tls }),
    Connector: MasterConnector,
    sentinelRetryStrategy: reconnectDelayMs,
    sentinelReconnectStrategy: reconnectDelayMs,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    failoverDetector: true,
    sentinelMaxConnections: SENTINELS_HEARD_MAX,
  };
}

/** Of a Redis that the connection has: sentinels may have named another since it was opened. */
export function addressOf({ options: { host, port, sentinels }, stream }: Redis): string {
  return sentinels ? `${stream?.remoteAddress}:${stream?.remotePort}` : `${host}:${port}`;
}

function reconnectDelayMs(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_DELAY_MAX_MS);
}

// What Redis answers when it can't take writes now, though it is there. NOSCRIPT: ioredis (6.0.0) brings a script along when
// Redis doesn't have it, but not in a pipeline that a cluster has led to another master; the next brings it.
const REFUSALS =
  /^(?:OOM|LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MISCONF|NOREPLICAS|BUSY|UNBLOCKED|NOSCRIPT)\b/;
const CONNECTION_ERRORS =
  /Connection is closed|aborted due to connection close|Stream isn't writeable|Command timed out|max retries per request|Cluster isn't ready|None of startup nodes|Failed to refresh slots|Too many Cluster redirections|All sentinels are unreachable|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND/i;

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

/**
 * What REDIS_URL may hold: one address, several by commas for Redis Cluster (one that ends with a comma will do), or the
 * sentinels that know which Redis is the master of a name. The form of the last is the one that most clients of other
 * languages read:
 *   redis+sentinel://[user:password@]host[:26379][,host[:port]…]/master-name[/database][?sentinel_password=…]
 * User and password are those of Redis; sentinels have their own, or none. With rediss both are spoken to in TLS.
 * Each function throws a TypeError that says what is wrong, and shows no password.
 */

export interface RedisAddress extends RedisAccess {
  readonly host: string;
  readonly port: number;
}

/** How a Redis is spoken to, wherever it is. */
export interface RedisAccess {
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly tls?: { readonly servername?: string };
}

export type RedisTarget =
  | { readonly kind: 'single'; readonly address: RedisAddress }
  | { readonly kind: 'cluster'; readonly nodes: readonly HostAndPort[]; readonly access: RedisAccess }
  | SentinelTarget;

export interface SentinelTarget {
  readonly kind: 'sentinel';
  readonly sentinels: readonly HostAndPort[];
  readonly masterName: string;
  /** Of the master. */
  readonly access: RedisAccess;
  readonly sentinelAccess: Pick<RedisAccess, 'username' | 'password'>;
}

interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

export function parseRedisUrl(text: string): RedisTarget {
  if (/^rediss?\+sentinel:/i.test(text)) return parseSentinels(text.trim());
  const parts = text.split(',').map((address) => address.trim());
  // One address of a cluster, as managed ones have: it ends with a comma.
  const isCluster = parts.length > 1;
  const [first, ...others] = (parts.at(-1) === '' ? parts.slice(0, -1) : parts).map(parseAddress);
  if (first === undefined) throw new TypeError('a Redis URL is needed');
  if (!isCluster) return { kind: 'single', address: first };
  const { host: _host, port: _port, ...access } = first;
  return { kind: 'cluster', nodes: [first, ...others].map(({ host, port }) => ({ host, port })), access };
}

function parseAddress(text: string): RedisAddress {
  if (!URL.canParse(text)) throw new TypeError('not a redis://, rediss:// or redis+sentinel:// URL');
  const url = new URL(text);
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw new TypeError(`${url.protocol}// is not redis://, rediss:// or redis+sentinel://`);
  const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  return {
    host,
    port: url.port === '' ? REDIS_PORT : Number(url.port),
    ...accountOf(url.username, url.password),
    ...databaseOf(url.pathname.slice(1)),
    ...(url.protocol === 'rediss:' && { tls: { servername: host } }),
  };
}

// A URL as the standard knows it has one host: this one is taken apart by hand.
const SENTINEL_URL =
  /^redis(?<tls>s?)\+sentinel:\/\/(?:(?<user>[^:@/]*)(?::(?<password>[^@/]*))?@)?(?<hosts>[^@/?#]*)(?:\/(?<name>[^/?#]*)(?:\/(?<db>[^/?#]*))?)?(?:\?(?<query>[^#]*))?$/i;
const HOST = /^(?:\[(?<v6>[\da-f:.]+)\]|(?<name>[^:[\]\s]+))(?::(?<port>\d{1,5}))?$/i;
const SENTINEL_PARAMETERS = ['sentinel_username', 'sentinel_password'];

function parseSentinels(text: string): SentinelTarget {
  const parts = SENTINEL_URL.exec(text)?.groups;
  if (parts === undefined)
    throw new TypeError('not redis+sentinel://[user:password@]host[:port][,host[:port]…]/master-name');
  const { tls = '', user = '', password = '', hosts = '', name = '', db = '', query = '' } = parts;
  if (name === '') throw new TypeError('the path of a redis+sentinel:// URL is the name of the master');
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((parameter) => !SENTINEL_PARAMETERS.includes(parameter));
  if (unknown !== undefined)
    throw new TypeError(
      `${unknown} is not a parameter of a redis+sentinel:// URL: ${SENTINEL_PARAMETERS.join(', ')} are`,
    );
  return {
    kind: 'sentinel',
    sentinels: hosts.split(',').map(parseSentinelHost),
    masterName: decodeURIComponent(name),
    // Certificates are checked against the host that a sentinel was asked for, or has named.
    access: { ...accountOf(user, password), ...databaseOf(db), ...(tls !== '' && { tls: {} }) },
    sentinelAccess: accountOf(
      parameters.get('sentinel_username') ?? '',
      parameters.get('sentinel_password') ?? '',
      (given) => given,
    ),
  };
}

function parseSentinelHost(text: string): HostAndPort {
  const { v6, name = v6, port = SENTINEL_PORT } = HOST.exec(text.trim())?.groups ?? {};
  if (name === undefined || Number(port) > 65_535)
    throw new TypeError('a redis+sentinel:// URL names its sentinels as host or host:port, by commas');
  return { host: name, port: Number(port) };
}

function accountOf(username: string, password: string, decode = decodeURIComponent) {
  return {
    ...(username !== '' && { username: decode(username) }),
    ...(password !== '' && { password: decode(password) }),
  };
}

function databaseOf(text: string): Pick<RedisAccess, 'db'> {
  const db = Number(text);
  if (!Number.isInteger(db) || db < 0) throw new TypeError('the path of a Redis URL is a database number');
  return db === 0 ? {} : { db };
}

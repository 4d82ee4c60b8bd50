/**
 * What REDIS_URL may hold: one address, several by commas for Redis Cluster (one that ends with a comma will do), or the
 * sentinels that know which Redis is the master of a name. The form of the last is the one that most clients of other
 * languages read:
 *   redis+sentinel://[user:password@]host[:26379][,host[:port]…]/master-name[/database][?sentinel_password=…]
 * User and password are those of Redis; sentinels have their own, or none. With rediss both are spoken to in TLS.
 * Each function throws a TypeError that says what is wrong, and shows no password.
 */

import { isIP } from 'node:net';

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
const SENTINEL_SCHEME = /^rediss?\+sentinel:\/\//i;
const PLACES = 'user and password stand before the host, the database number is the path';
const ESCAPES =
  'in a user or password, / is written %2F, ? is %3F, # is %23, @ is %40, a comma %2C, a space %20';

export function parseRedisUrl(text: string): RedisTarget {
  const url = text.trim();
  if (SENTINEL_SCHEME.test(url)) return parseSentinels(url);
  const parts = url.split(',').map((address) => address.trim());
  // One address of a cluster, as managed ones have: it ends with a comma.
  const isCluster = parts.length > 1;
  if (parts.some((part) => part.includes('@') && !part.includes('//'))) throw new TypeError(ESCAPES);
  const [first, ...others] = (parts.at(-1) === '' ? parts.slice(0, -1) : parts).map(parseAddress);
  if (first === undefined) throw new TypeError('a Redis URL is needed');
  if (!isCluster) return { kind: 'single', address: first };
  // Each node has its own server name (connection.ts).
  const { host: _host, port: _port, tls, ...account } = first;
  const access = { ...account, ...(tls && { tls: {} }) };
  if (access.db !== undefined) throw new TypeError('a Redis Cluster has no other database than 0');
  if (others.some((other) => isOtherAccess(other, access)))
    throw new TypeError('the addresses of a Redis Cluster have one scheme, user and password');
  return { kind: 'cluster', nodes: [first, ...others].map(({ host, port }) => ({ host, port })), access };
}

/** One that names no user and no password is spoken to with those of the first. */
function isOtherAccess({ username, password, db, tls }: RedisAddress, first: RedisAccess): boolean {
  const isOtherAccount =
    password !== undefined && (password !== first.password || username !== first.username);
  return isOtherAccount || db !== undefined || (tls === undefined) !== (first.tls === undefined);
}

function parseAddress(text: string): RedisAddress {
  checkAuthority(text);
  if (!/^rediss?:\/\//i.test(text))
    throw new TypeError(`${schemeOf(text)} redis://, rediss:// or redis+sentinel:// is needed`);
  if (!URL.canParse(text)) throw new TypeError('not redis://[user:password@]host[:port][/database]');
  const url = new URL(text);
  if (url.search !== '') throw new TypeError(`a ${url.protocol}// URL has no parameters: ${PLACES}`);
  if (url.hash !== '') throw new TypeError(`a ${url.protocol}// URL has no fragment: ${PLACES}`);
  const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  return {
    host,
    port: url.port === '' ? REDIS_PORT : Number(url.port),
    ...accountOf(decode(url.username), decode(url.password)),
    ...databaseOf(url.pathname.slice(1)),
    // An address is no server name: without one, the certificate is checked against the host.
    ...(url.protocol === 'rediss:' && { tls: isIP(host) === 0 ? { servername: host } : {} }),
  };
}

/** What stands before the host is a secret in part: no message shows anything of it. */
function checkAuthority(text: string): void {
  const afterScheme = text.slice(text.indexOf('//') + 2);
  const at = afterScheme.lastIndexOf('@');
  if (at !== -1 && /[/?#@\s]/.test(afterScheme.slice(0, at))) throw new TypeError(ESCAPES);
  if (/\s/.test(text)) throw new TypeError('a Redis URL has no spaces');
}

/** The scheme that a text names instead, if it can hold no secret. */
function schemeOf(text: string): string {
  const scheme = /^[a-z][a-z+.-]{0,20}:\/\//i.exec(text)?.[0];
  return scheme === undefined ? 'not a Redis URL:' : `${scheme} is not a Redis URL:`;
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
    masterName: decode(name),
    // Certificates are checked against the host that a sentinel was asked for, or has named.
    access: {
      ...accountOf(decode(user), decode(password)),
      ...databaseOf(db),
      ...(tls !== '' && { tls: {} }),
    },
    sentinelAccess: accountOf(
      parameters.get('sentinel_username') ?? '',
      parameters.get('sentinel_password') ?? '',
    ),
  };
}

function parseSentinelHost(text: string): HostAndPort {
  const { v6, name = v6, port = SENTINEL_PORT } = HOST.exec(text.trim())?.groups ?? {};
  if (name === undefined || Number(port) > 65_535)
    throw new TypeError('a redis+sentinel:// URL names its sentinels as host or host:port, by commas');
  return { host: name, port: Number(port) };
}

function accountOf(username: string, password: string): Pick<RedisAccess, 'username' | 'password'> {
  // Redis would be spoken to without either.
  if (username !== '' && password === '')
    throw new TypeError('a user needs a password; a password alone is written redis://:password@host');
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError('a % in a user, password or name is written %25');
  }
}

function databaseOf(text: string): Pick<RedisAccess, 'db'> {
  if (!/^\d{0,9}$/.test(text)) throw new TypeError('the path of a Redis URL is a database number');
  const db = Number(text);
  return db === 0 ? {} : { db };
}

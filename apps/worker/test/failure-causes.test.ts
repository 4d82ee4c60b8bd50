/**
 * An attempt that gets no answer says what exactly went wrong, and both HTTP clients say the same of the same fault.
 * Takes about 4 s.
 */
import type { LookupAddress } from 'node:dns';
import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CAUSE_CODES, causeView, type Destination } from '@hookfleet/contract';
import { type Authority, createAuthority, type Identity } from '@hookfleet/testkit';
import { classify } from '../src/classify.ts';
import type { EgressOptions } from '../src/egress-route.ts';
import { type FullListener, startFullListener } from './full-listener.ts';
import { type RawServer, startRawServer } from './raw-server.ts';
import { CLIENTS, type Requests, setupRequests } from './setup-requests.ts';

// Of an attempt that nothing else ends.
const DEADLINE_MS = 300;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

interface Fault {
  readonly cause: string;
  readonly reason: string;
  readonly server?: Parameters<typeof startRawServer>[0];
  readonly tls?: () => Promise<TlsOptions>;
  /** What to send to, given where the server listens. */
  readonly url?: (server: URL) => string;
  readonly destination?: () => Partial<Destination>;
  readonly allow?: readonly string[];
  readonly resolve?: EgressOptions['resolve'];
  readonly isProxied?: boolean;
  readonly detail?: string;
}

let authority: Authority;
let stranger: Authority;
let full: FullListener;

const says = (text: string | Buffer) => ({ onRequest: (socket: Socket) => void socket.end(text) });
const ANSWERS = says(OK);
const TRUSTED = () => ({ tls: { ca: authority.certificate } });
const identity = async (issued: Promise<Identity>, more: TlsOptions = {}): Promise<TlsOptions> => {
  const { certificate, key } = await issued;
  return { cert: certificate, key, ...more };
};
const ours = (more?: TlsOptions) => () => identity(authority.issue('receiver.test'), more);
const overTls = ({ host }: URL) => `https://${host}`;
const named = ({ protocol, port }: URL) => `${protocol}//receiver.test:${port}`;
const resolvesTo = (...addresses: LookupAddress[]) =>
  ((_name: string, _options: unknown, callback: (error: null, found: LookupAddress[]) => void) =>
    callback(null, addresses)) as unknown as EgressOptions['resolve'];
const failsWith = (code: string) =>
  ((_name: string, _options: unknown, callback: (error: Error) => void) =>
    callback(Object.assign(new Error(code), { code }))) as unknown as EgressOptions['resolve'];
const V4 = { address: '127.0.0.1', family: 4 };
const V6 = { address: '::1', family: 6 };

const FAULTS: Readonly<Record<string, Fault>> = {
  'a name that nobody knows': {
    url: () => 'http://receiver.test/',
    resolve: failsWith('ENOTFOUND'),
    reason: 'dns',
    cause: 'name_not_found',
  },
  'name servers in trouble': {
    url: () => 'http://receiver.test/',
    resolve: failsWith('EAI_AGAIN'),
    reason: 'dns',
    cause: 'name_server_failed',
  },
  'name servers that are silent': {
    url: () => 'https://receiver.test/',
    resolve: (() => undefined) as unknown as EgressOptions['resolve'],
    destination: () => ({ timeoutMs: DEADLINE_MS }),
    reason: 'timeout',
    cause: 'name_timeout',
  },
  'a port that nobody listens on': {
    url: () => 'http://127.0.0.1:1/',
    reason: 'connection',
    cause: 'refused',
  },
  'a name whose addresses all refuse': {
    url: () => 'http://receiver.test:1/',
    resolve: resolvesTo(V6, V4),
    reason: 'connection',
    cause: 'refused',
  },
  'an address without a route': {
    // Nothing is sent: the system refuses to connect to this address.
    url: () => 'http://255.255.255.255/',
    allow: ['255.255.255.255/32'],
    reason: 'connection',
    cause: 'unreachable',
  },
  'a name with an address without a route, and one that refuses': {
    url: () => 'http://receiver.test:1/',
    allow: ['127.0.0.0/8', '255.255.255.255/32'],
    resolve: resolvesTo({ address: '255.255.255.255', family: 4 }, V4),
    reason: 'connection',
    cause: 'refused',
  },
  'a firewall that drops': {
    url: () => `http://127.0.0.1:${full.port}/`,
    destination: () => ({ timeoutMs: DEADLINE_MS }),
    reason: 'timeout',
    cause: 'connect_timeout',
  },
  'an address that the egress policy refuses': {
    server: ANSWERS,
    allow: [],
    reason: 'blocked',
    cause: 'address_blocked',
    detail: 'address 127.0.0.1 is not allowed by the egress policy (HOOKFLEET_EGRESS_ALLOW)',
  },
  'a name with an address that the egress policy refuses': {
    server: ANSWERS,
    url: named,
    resolve: resolvesTo(V4, { address: '10.1.2.3', family: 4 }),
    reason: 'blocked',
    cause: 'address_blocked',
    detail: 'address 10.1.2.3 is not allowed by the egress policy (HOOKFLEET_EGRESS_ALLOW)',
  },
  'an address that the egress policy refuses to a proxy': {
    server: ANSWERS,
    url: () => 'https://10.1.2.3/',
    isProxied: true,
    reason: 'blocked',
    cause: 'address_blocked',
    detail: 'address 10.1.2.3 is not allowed by the egress policy (HOOKFLEET_EGRESS_ALLOW)',
  },
  'a proxy that forbids the destination': {
    server: says('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n'),
    url: () => 'https://receiver.test/',
    isProxied: true,
    reason: 'blocked',
    cause: 'proxy_blocked',
  },
  'a proxy that reaches nobody': {
    server: says('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n'),
    url: () => 'https://receiver.test/',
    isProxied: true,
    reason: 'connection',
    cause: 'proxy_failed',
  },
  'an expired certificate': {
    server: ANSWERS,
    tls: () => identity(authority.issue('receiver.test', undefined, [-0.9, -0.5])),
    destination: TRUSTED,
    reason: 'tls',
    cause: 'certificate_expired',
    detail: 'the certificate has expired',
  },
  'a certificate of tomorrow': {
    server: ANSWERS,
    tls: () => identity(authority.issue('receiver.test', undefined, [0.5, 0.9])),
    destination: TRUSTED,
    reason: 'tls',
    cause: 'certificate_not_yet_valid',
  },
  'a certificate for another name': {
    server: ANSWERS,
    tls: ours(),
    url: (server) => named(server).replace('receiver', 'another'),
    resolve: resolvesTo(V4),
    destination: TRUSTED,
    reason: 'tls',
    cause: 'certificate_name',
  },
  'a certificate of a stranger': {
    server: ANSWERS,
    tls: () => identity(stranger.issue('receiver.test')),
    destination: TRUSTED,
    reason: 'tls',
    cause: 'certificate_authority',
  },
  'a certificate that vouches for itself': {
    server: ANSWERS,
    tls: ours(),
    reason: 'tls',
    cause: 'certificate_authority',
  },
  'a destination that asks for a certificate, and gets none': {
    server: ANSWERS,
    tls: ours({ requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2' }),
    destination: TRUSTED,
    reason: 'tls',
    cause: 'tls_refused',
  },
  'an old version of TLS': {
    server: ANSWERS,
    tls: ours({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    destination: TRUSTED,
    reason: 'tls',
    cause: 'tls_version',
  },
  'plain HTTP on a port for https': {
    server: ANSWERS,
    url: overTls,
    reason: 'tls',
    cause: 'not_tls',
  },
  'noise on a port for https': {
    server: says(Buffer.alloc(500, 0xff)),
    url: overTls,
    reason: 'tls',
    cause: 'not_tls',
  },
  'an alert that nobody knows': {
    server: says(Buffer.from('15030300020250', 'hex')),
    url: overTls,
    reason: 'tls',
    cause: 'tls_handshake',
  },
  'a handshake that nobody answers': {
    server: {},
    url: overTls,
    destination: () => ({ timeoutMs: DEADLINE_MS }),
    reason: 'timeout',
    cause: 'tls_timeout',
  },
  'a connection that is closed in the handshake': {
    server: { onRequest: (socket) => void socket.end() },
    url: overTls,
    reason: 'connection',
    cause: 'closed_early',
  },
  'a connection that is reset': {
    server: { onRequest: (socket) => void socket.resetAndDestroy() },
    reason: 'connection',
    cause: 'reset',
  },
  'a connection that is closed without a word': {
    server: says(''),
    reason: 'connection',
    cause: 'closed_early',
  },
  'a status line that ends in its midst': {
    server: says('HTTP/1.1 2'),
    reason: 'connection',
    cause: 'closed_early',
  },
  'an interim answer and no more': {
    server: says('HTTP/1.1 100 Continue\r\n\r\n'),
    reason: 'connection',
    cause: 'closed_early',
  },
  'another protocol': {
    server: says('220 mail.receiver.test ESMTP\r\n'),
    reason: 'connection',
    cause: 'malformed_response',
  },
  garbage: {
    server: says(Buffer.alloc(500, 0xff)),
    reason: 'connection',
    cause: 'malformed_response',
  },
  'a status that HTTP has not': {
    server: says('HTTP/1.1 999 Denied\r\ncontent-length: 0\r\n\r\n'),
    reason: 'connection',
    cause: 'malformed_response',
  },
  'silence after the request': {
    server: {},
    destination: () => ({ timeoutMs: DEADLINE_MS }),
    reason: 'timeout',
    cause: 'response_timeout',
  },
  'silence after the request, over TLS': {
    server: {},
    tls: ours(),
    destination: () => ({ ...TRUSTED(), timeoutMs: DEADLINE_MS }),
    reason: 'timeout',
    cause: 'response_timeout',
  },
};

beforeAll(async () => {
  [authority, stranger, full] = await Promise.all([
    createAuthority('ours'),
    createAuthority('a stranger'),
    startFullListener(),
  ]);
});

afterAll(() => full.close());

describe.each(CLIENTS)('with %s', (client) => {
  let requests: Requests | undefined;
  let server: RawServer | undefined;

  afterEach(async () => {
    requests?.close();
    await server?.close();
    server = undefined;
  });

  test.each(Object.entries(FAULTS))('%s', async (_, fault) => {
    const { server: script, tls, url, destination, resolve, isProxied, allow } = fault;
    server = script && (await startRawServer(script, await tls?.()));
    const at = new URL(server?.url ?? 'http://127.0.0.1');
    requests = await setupRequests({
      client,
      allow: allow ?? ['127.0.0.0/8', '::1/128'],
      proxies: isProxied ? { httpsProxy: at.origin } : {},
      resolve,
    });
    const { answer } = await requests.send({ url: url?.(at) ?? at.href, ...destination?.() });
    const { reason, cause } = classify(answer);
    expect({ reason, cause: cause?.code }).toEqual({ reason: fault.reason, cause: fault.cause });
    if (fault.detail !== undefined) expect(cause && causeView(cause).detail).toBe(fault.detail);
  });

  test('an address that takes a second is waited for, though the name has another one', async () => {
    const slow = await startFullListener();
    const resolve = ((
      _name: string,
      _options: unknown,
      done: (error: null, found: LookupAddress[]) => void,
    ) => {
      done(null, [V4, { address: '127.0.0.2', family: 4 }]);
      // By then its first SYN is lost; the system sends another one after a second.
      setTimeout(() => slow.resume(), 100);
    }) as unknown as EgressOptions['resolve'];
    requests = await setupRequests({ client, resolve });
    const { answer } = await requests.send({ url: `http://receiver.test:${slow.port}/` });
    await slow.close();
    expect(answer).toMatchObject({ kind: 'response', statusCode: 200 });
  });

  test('a token endpoint that cannot be reached says why', async () => {
    requests = await setupRequests({ client });
    const auth = { type: 'oauth2', clientId: 'a', clientSecret: 'b' } as const;
    const { answer } = await requests.send({
      url: 'http://127.0.0.1:1/',
      auth: { ...auth, tokenUrl: 'http://127.0.0.1:1/token' },
    });
    expect(answer).toMatchObject({
      failure: 'auth',
      cause: { code: 'refused' },
      detail: expect.stringMatching(/^no answer from the token endpoint: connection refused/),
    });
  });
});

test('every cause has words of its own', () => {
  const words = CAUSE_CODES.map((code) => causeView({ code }).detail);
  expect(new Set(words).size).toBe(CAUSE_CODES.length);
});

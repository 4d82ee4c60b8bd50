/** TLS to destinations that have an authority of their own, and that ask who is there. Takes about 2 s. */
import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  type Authority,
  createAuthority,
  type Identity,
  type Receiver,
  startReceiver,
} from '@hookfleet/testkit';
import type { EgressOptions } from '../src/egress-route.ts';
import { CLIENTS, cameBack, type Requests, setupRequests } from './setup-requests.ts';

describe.each(CLIENTS)('with %s', (client) => {
  let authority: Authority;
  let stranger: Authority;
  let acme: Identity;
  let globex: Identity;
  let open: Receiver;
  let mutual: Receiver;
  let requests: Requests;

  beforeAll(async () => {
    [authority, stranger] = await Promise.all([createAuthority('ours'), createAuthority('a stranger')]);
    let server: Identity;
    [server, acme, globex] = (await Promise.all(
      ['receiver.test', 'acme', 'globex'].map((name) => authority.issue(name)),
    )) as [Identity, Identity, Identity];
    const tls = { cert: server.certificate, key: server.key };
    open = await startReceiver(undefined, { tls });
    mutual = await startReceiver(undefined, {
      tls: { ...tls, ca: authority.certificate, requestCert: true, rejectUnauthorized: true },
    });
  });

  beforeEach(async () => {
    requests?.close();
    requests = await setupRequests({ client });
  });

  afterAll(async () => {
    requests.close();
    await open.close();
    await mutual.close();
  });

  test('an authority of its own vouches for a destination, where the public ones do not', async () => {
    expect(cameBack(await requests.send({ url: open.url }))).toBe('tls');
    expect(cameBack(await requests.send({ url: open.url, tls: { ca: authority.certificate } }))).toBe(200);
    expect(cameBack(await requests.send({ url: open.url, tls: { ca: stranger.certificate } }))).toBe('tls');
  });

  test('a destination that asks for a certificate is shown the one of its channel', async () => {
    const sent = await requests.send({ url: mutual.url, tls: { ...acme, ca: authority.certificate } });
    expect(cameBack(sent)).toBe(200);
    expect(mutual.ledger.at(-1)?.request.clientName).toBe('acme');
  });

  test('without a certificate, and with one of another authority, it is no delivery', async () => {
    const foreign = await stranger.issue('acme');
    const before = mutual.ledger.length;
    for (const tls of [{}, foreign]) {
      const sent = await requests.send({ url: mutual.url, tls: { ...tls, ca: authority.certificate } });
      // TLS 1.3 ends the client's handshake before the server has seen its certificate: the refusal races with the request.
      expect(['tls', 'connection']).toContain(cameBack(sent));
    }
    expect(mutual.ledger).toHaveLength(before);
  });

  test.each([
    ['ECDHE-RSA-AES128-GCM-SHA256', 200],
    ['DHE-RSA-AES128-GCM-SHA256', 'tls'],
  ])('with %s alone, TLS 1.2 ends in %s: groups of any size are not computed with', async (ciphers, end) => {
    const ofRsa = await createAuthority('ours, of RSA', 'rsa');
    const { certificate, key } = await ofRsa.issue('receiver.test');
    const old = await startReceiver(undefined, {
      tls: { cert: certificate, key, ciphers, maxVersion: 'TLSv1.2', dhparam: 'auto' },
    });
    expect(cameBack(await requests.send({ url: old.url, tls: { ca: ofRsa.certificate } }))).toBe(end);
    await old.close();
  });

  test('a dot behind the name goes into the Host header, and not into SNI; a token endpoint is no exception', async () => {
    const { certificate, key } = await authority.issue('receiver.test');
    const names: string[] = [];
    const context = createSecureContext({ cert: certificate, key });
    const server = await startReceiver(
      ({ path }) => ({ status: 200, body: path === '/token' ? '{"access_token":"t"}' : '' }),
      {
        tls: {
          cert: certificate,
          key,
          SNICallback(name, done) {
            names.push(name);
            done(null, context);
          },
        },
      },
    );
    const resolve = ((_name: string, _options: unknown, done: (error: null, found: object[]) => void) =>
      done(null, [{ address: '127.0.0.1', family: 4 }])) as unknown as EgressOptions['resolve'];
    const named = await setupRequests({ client, resolve });
    const url = server.url.replace('127.0.0.1', 'receiver.test.');
    const auth = { type: 'oauth2', clientId: 'a', clientSecret: 'b', tokenUrl: `${url}/token` } as const;
    const tls = { ca: authority.certificate };
    expect(cameBack(await named.send({ url, tls }))).toBe(200);
    expect(cameBack(await named.send({ url, tls, auth }))).toBe(200);
    expect(new Set(names)).toEqual(new Set(['receiver.test']));
    expect(server.ledger.map(({ request }) => request.headers['host'])).toEqual(
      Array.from({ length: 3 }, () => new URL(url).host),
    );
    named.close();
    await server.close();
  });

  test('connections are kept for each identity, and never shared between two', async () => {
    const send = (identity: Identity) =>
      requests.send({ url: mutual.url, tls: { ...identity, ca: authority.certificate } });
    const [connections, answered] = [mutual.connectionsTotal(), mutual.ledger.length];
    for (const identity of [acme, globex, acme, globex, acme]) await send(identity);
    expect(mutual.connectionsTotal() - connections).toBe(2);
    expect(mutual.ledger.slice(answered).map(({ request }) => request.clientName)).toEqual([
      'acme',
      'globex',
      'acme',
      'globex',
      'acme',
    ]);
  });

  test('the phases of a new connection hold its handshake, those of one that is used again do not', async () => {
    const destination = { url: open.url, tls: { ca: authority.certificate } };
    const first = await requests.send(destination);
    const second = await requests.send(destination);
    expect(Object.keys(first.answer.phases).sort()).toEqual(['connect', 'firstByte', 'tls']);
    expect(Object.keys(second.answer.phases)).toEqual(['firstByte']);
    const both = await setupRequests({ client, allow: ['127.0.0.0/8', '::1/128'] });
    const named = await both.send({ ...destination, url: open.url.replace('127.0.0.1', 'localhost') });
    expect(Object.keys(named.answer.phases)).toContain('dns');
    both.close();
  });
});

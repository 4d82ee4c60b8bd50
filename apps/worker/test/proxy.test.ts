/**
 * Egress through the operator's proxy: a real one, on loopback, whose table of names leads to the test's receivers.
 * Takes about 3 s.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  createAuthority,
  type HttpProxy,
  type Receiver,
  startHttpProxy,
  startReceiver,
} from '@hookfleet/testkit';
import { startRawServer } from './raw-server.ts';
import { CLIENTS, cameBack, type Requests, setupRequests } from './setup-requests.ts';

describe.each(CLIENTS)('with %s', (client) => {
  let plain: Receiver;
  let secure: Receiver;
  let proxy: HttpProxy;
  let requests: Requests;
  let ca: string;
  let ports: Map<string, { readonly url: string }>;

  beforeEach(async () => {
    const authority = await createAuthority('ours');
    ca = authority.certificate;
    const { certificate: cert, key } = await authority.issue('receiver.test');
    plain = await startReceiver();
    secure = await startReceiver(undefined, { tls: { cert, key } });
    ports = new Map<string, { readonly url: string }>([
      ['plain.test', plain],
      ['receiver.test', secure],
    ]);
    proxy = await startHttpProxy((host) => {
      if (host === 'slow.test') return 'hang';
      const receiver = ports.get(host);
      return receiver === undefined ? { refused: 403 } : { port: Number(new URL(receiver.url).port) };
    });
    const url = proxy.url.replace('://', '://fleet:planted%2Dsecret@');
    // No range is allowed: what the proxy reaches is not the guard's to judge, and the proxy itself is not asked about.
    requests = await setupRequests({
      client,
      allow: [],
      proxies: { httpProxy: url, httpsProxy: url, noProxy: ['direct.test'] },
    });
  });

  afterEach(async () => {
    requests.close();
    await proxy.close();
    await plain.close();
    await secure.close();
  });

  test('through a tunnel too, the status line counts', async () => {
    const authority = await createAuthority('raw');
    const { certificate: cert, key } = await authority.issue('receiver.test');
    const raw = await startRawServer(
      { onRequest: (socket) => void socket.write('HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n') },
      { cert, key },
    );
    ports.set('receiver.test', raw);
    const tls = { ca: authority.certificate };
    expect(cameBack(await requests.send({ url: 'https://receiver.test/', tls }))).toBe(200);
    expect(raw.requests()).toBe(1);
    await raw.close();
  });

  const authorization = `Basic ${Buffer.from('fleet:planted-secret').toString('base64')}`;

  test('an http destination is asked for in absolute form, and sees neither the proxy nor its password', async () => {
    const sent = await requests.send({ url: 'http://plain.test/hook?a=1' }, { body: '{"a":1}' });
    expect(cameBack(sent)).toBe(200);
    expect(proxy.requests).toEqual([{ method: 'POST', target: 'http://plain.test/hook?a=1', authorization }]);
    const [entry] = plain.ledger;
    expect(entry?.request).toMatchObject({
      method: 'POST',
      path: '/hook?a=1',
      headers: { host: 'plain.test' },
    });
    expect(entry?.request.body.toString()).toBe('{"a":1}');
    expect(JSON.stringify(sent)).not.toContain('planted');
  });

  test('an https destination is reached by CONNECT; its certificate is checked; the tunnel is kept', async () => {
    const destination = { url: 'https://receiver.test/hook', tls: { ca } };
    for (let i = 0; i < 3; i += 1) expect(cameBack(await requests.send(destination))).toBe(200);
    expect(proxy.requests).toEqual([{ method: 'CONNECT', target: 'receiver.test:443', authorization }]);
    expect(secure.connectionsTotal()).toBe(1);
    expect(cameBack(await requests.send({ url: 'https://receiver.test/hook' }))).toBe('tls');
  });

  test('a destination that the proxy forbids is blocked', async () => {
    expect(cameBack(await requests.send({ url: 'https://internal.test/' }))).toBe('blocked');
    expect(proxy.requests).toHaveLength(1);
  });

  test.each([
    'http://169.254.169.254/',
    'https://10.0.0.1/',
    'https://[fd00:ec2::254]/',
    'http://2130706433/',
  ])('%s is blocked by the guard, and the proxy not even asked', async (url) => {
    expect(cameBack(await requests.send({ url }))).toBe('blocked');
    expect(proxy.requests).toEqual([]);
  });

  test.each(['http://localhost:1/', 'http://localhost.:1/', 'http://127.1:1/', 'http://[::1]:1/'])(
    '%s means this host, not the proxy: it is reached directly, behind the guard',
    async (url) => {
      // Not every resolver knows localhost with the root's dot.
      expect(['blocked', 'dns']).toContain(cameBack(await requests.send({ url })));
      expect(proxy.requests).toEqual([]);
    },
  );

  test('what NO_PROXY names is reached directly', async () => {
    expect(cameBack(await requests.send({ url: 'http://a.direct.test./' }))).toBe('dns');
    expect(proxy.requests).toEqual([]);
  });

  test('a proxy that is away, or hangs, bounces the webhook by its deadline', async () => {
    const away = await setupRequests({ client, proxies: { httpsProxy: 'http://127.0.0.1:1' } });
    expect(cameBack(await away.send({ url: 'https://receiver.test/' }))).toBe('connection');
    away.close();
    const sent = await requests.send({ url: 'https://slow.test/', timeoutMs: 300 });
    expect(cameBack(sent)).toBe('timeout');
  });
});

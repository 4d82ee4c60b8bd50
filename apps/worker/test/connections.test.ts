/**
 * Connections to destinations: who decides where they lead, how many there are, and what ends the wait for one.
 * Takes about 6 s.
 */
import type dns from 'node:dns';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createAuthority, eventually, type Receiver, startReceiver } from '@hookfleet/testkit';
import { openDeliverWithUndici } from '../src/deliver-with-undici.ts';
import { createEgressGuard } from '../src/egress-guard.ts';
import { CLIENTS, cameBack, setupRequests } from './setup-requests.ts';

let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver(() => ({ status: 200, delayMs: 20 }));
});

afterEach(() => receiver.close());

const named = (name: string, path = '/') => ({
  url: `http://${name}:${new URL(receiver.url).port}${path}`,
});

/** Resolves as the test says, one answer after the other, the last one again and again; without any it hangs. */
function resolver(...addresses: readonly string[]): typeof dns.lookup {
  let turn = 0;
  const resolve = (_name: string, _options: unknown, callback: (error: null, all: unknown) => void) => {
    const address = addresses[Math.min(turn++, addresses.length - 1)];
    if (address !== undefined) process.nextTick(callback, null, [{ address, family: 4 }]);
  };
  return resolve as unknown as typeof dns.lookup;
}

/** Reads what it is sent and says what the test says, if anything. */
async function startMute(answer = ''): Promise<{ port: number; ended: Promise<unknown>; server: Server }> {
  const { promise: ended, resolve } = Promise.withResolvers<unknown>();
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined).on('close', resolve);
    socket.on('data', () => void (answer !== '' && socket.write(answer)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, ended, server };
}

describe.each(CLIENTS)('with %s', (client) => {
  test('a name is judged by the address that is connected to, each time anew', async () => {
    const requests = await setupRequests({
      client,
      allow: ['127.0.0.1/32'],
      resolve: resolver('127.0.0.1', '127.0.0.2'),
    });
    expect(cameBack(await requests.send(named('rebinding.test')))).toBe(200);
    // Both at once: one uses the connection that is there, the other one needs another.
    const both = await Promise.all([1, 2].map(() => requests.send(named('rebinding.test'))));
    expect(both.map(cameBack).sort()).toEqual([200, 'blocked']);
    expect(receiver.connectionsTotal()).toBe(1);
    requests.close();
  });

  test('a destination has so many connections at most, and all are served', async () => {
    const requests = await setupRequests({ client, connectionsMax: 3 });
    const sent = await Promise.all(Array.from({ length: 12 }, () => requests.send({ url: receiver.url })));
    expect(new Set(sent.map(cameBack))).toEqual(new Set([200]));
    expect(receiver.connectionsTotal()).toBe(3);
    requests.close();
  });

  test('so many as were needed at once are kept for the next wave', async () => {
    const connectionsMax = 100;
    const requests = await setupRequests({ client, connectionsMax });
    for (let wave = 0; wave < 3; wave += 1) {
      const all = Array.from({ length: connectionsMax }, () => requests.send({ url: receiver.url }));
      expect(new Set((await Promise.all(all)).map(cameBack))).toEqual(new Set([200]));
    }
    expect(receiver.connectionsTotal()).toBe(connectionsMax);
    requests.close();
  });

  test('one after the other they use the same connection', async () => {
    const requests = await setupRequests({ client });
    for (let i = 0; i < 5; i += 1) expect(cameBack(await requests.send({ url: receiver.url }))).toBe(200);
    expect(receiver.connectionsTotal()).toBe(1);
    requests.close();
  });

  test('a connection that has grown old makes room for another, also while others wait for it', async () => {
    const requests = await setupRequests({ client, connectionAgeMaxMs: 0, connectionsMax: 1 });
    for (let i = 0; i < 4; i += 1) expect(cameBack(await requests.send({ url: receiver.url }))).toBe(200);
    const before = receiver.connectionsTotal();
    expect(before).toBeGreaterThan(1);
    const sent = await Promise.all(Array.from({ length: 4 }, () => requests.send({ url: receiver.url })));
    expect(sent.map(cameBack)).toEqual([200, 200, 200, 200]);
    expect(receiver.connectionsTotal()).toBeGreaterThan(before + 1);
    requests.close();
  });

  test('a look-up that hangs is ended by the deadline', async () => {
    const requests = await setupRequests({ client, resolve: resolver() });
    const sent = await requests.send({ ...named('hangs.test'), timeoutMs: 150 });
    expect(cameBack(sent)).toBe('timeout');
    expect(sent.answer.phases).toEqual({});
    requests.close();
  });

  test.each([
    ['a handshake', 'https', '', 'timeout', 150],
    ['an answer', 'http', '', 'timeout', 150],
    ['headers', 'http', 'HTTP/1.1 200 OK\r\nx-a: b\r\n', 200, 1_000],
    ['a body', 'http', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', 200, 1_000],
  ])('%s that never comes to its end is ended by the deadline, with its connection', async (...row) => {
    const [, scheme, answer, expected, timeoutMs] = row;
    const requests = await setupRequests({ client });
    const mute = await startMute(answer);
    const sent = await requests.send({ url: `${scheme}://127.0.0.1:${mute.port}/`, timeoutMs });
    expect(cameBack(sent)).toBe(expected);
    await mute.ended;
    mute.server.close();
    requests.close();
  });

  test("an answer's headers are as node:http gives them, where they come twice too", async () => {
    const lines = ['retry-after: 1', 'retry-after: 2', 'x-a: 1', 'x-a: 2', 'set-cookie: a', '__proto__: x'];
    const mute = await startMute(`HTTP/1.1 503 No\r\n${lines.join('\r\n')}\r\ncontent-length: 0\r\n\r\n`);
    const requests = await setupRequests({ client });
    const { answer } = await requests.send({ url: `http://127.0.0.1:${mute.port}/` });
    expect(answer).toMatchObject({
      statusCode: 503,
      headers: { 'retry-after': '1', 'x-a': '1, 2', 'set-cookie': ['a'] },
    });
    requests.close();
    mute.server.close();
  });
});

test('undici: of TLS identities so many are kept; the one used longest ago loses its connections', async () => {
  const authority = await createAuthority('ours');
  const { certificate: cert, key } = await authority.issue('receiver.test');
  const secure = await startReceiver(undefined, { tls: { cert, key, ca: cert } });
  const proxies = { httpsProxy: undefined, httpProxy: undefined, noProxy: [] };
  const guard = createEgressGuard(['127.0.0.0/8']);
  const { deliver, close } = openDeliverWithUndici({ guard, proxies, connectionsPerDestinationMax: 5 }, 2);
  const ca = authority.certificate;
  for (const name of ['one', 'two', 'three']) {
    const identity = await authority.issue(name);
    const tls = { ca, certificate: identity.certificate, key: identity.key };
    const request = {
      url: secure.url,
      method: 'POST',
      headers: {},
      body: '',
      timeoutMs: 2_000,
      tls,
    } as const;
    expect(await deliver(request)).toMatchObject({ statusCode: 200 });
  }
  expect(secure.connectionsTotal()).toBe(3);
  await eventually(async () => expect(secure.connections()).toBe(2));
  close();
  await secure.close();
});

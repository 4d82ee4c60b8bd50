/** What a destination's answer can't do: fill our memory, or hold an attempt longer than its deadline. Takes about 3 s. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Answer, type Receiver, startReceiver } from '@hookfleet/testkit';
import { excerptOf } from '../src/response-excerpt.ts';
import { startRawServer } from './raw-server.ts';
import { CLIENTS, cameBack, type Requests, setupRequests } from './setup-requests.ts';

const BOMB = 'x'.repeat(20_000_000);
const packed = new Map<string, Buffer>();

describe.each(CLIENTS)('with %s', (client) => {
  let receiver: Receiver;
  let requests: Requests;
  let answer: Answer;

  beforeEach(async () => {
    receiver = await startReceiver(() => answer);
    requests = await setupRequests({ client });
  });

  afterEach(async () => {
    requests.close();
    await receiver.close();
  });

  async function excerpt(): Promise<string | undefined> {
    const { answer: got } = await requests.send({ url: receiver.url });
    return got.kind === 'response' ? excerptOf(got.rawBody, got.headers) : undefined;
  }

  const quickBrotli = (text: string) =>
    brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

  test.each([
    ['gzip', () => gzipSync(BOMB)],
    ['deflate', () => deflateSync(BOMB)],
    ['br', () => quickBrotli(BOMB)],
    ['zstd', () => zstdCompressSync(BOMB)],
    ['gzip, gzip', () => gzipSync(gzipSync(BOMB))],
    ['br, x-gzip', () => gzipSync(quickBrotli(BOMB))],
  ])('of a bomb packed by %s one KiB is unpacked', async (encoding, pack) => {
    // Both clients get the same.
    const body = packed.get(encoding) ?? pack();
    packed.set(encoding, body);
    answer = { status: 500, headers: { 'content-encoding': encoding }, body };
    expect(await excerpt()).toBe('x'.repeat(1_024));
  });

  test('encodings without end are not followed: the body is shown as it came', async () => {
    const encoding = Array.from({ length: 50 }, () => 'gzip').join(',');
    answer = { status: 500, headers: { 'content-encoding': encoding }, body: 'as it came' };
    expect(await excerpt()).toBe('as it came');
  });

  test('of a body without end 64 KiB are read, and its connection is given up', async () => {
    answer = { status: 500, endlessBody: 'y'.repeat(10_000) };
    const { answer: got } = await requests.send({ url: receiver.url });
    expect(got.kind === 'response' && got.rawBody.length).toBeLessThan(3 * 64 * 1024);
  });

  test('headers beyond 64 KiB, in one or in many, are not read; the status counts', async () => {
    answer = { status: 200, headers: { 'x-long': 'x'.repeat(70_000) } };
    expect(cameBack(await requests.send({ url: receiver.url }))).toBe(200);
    answer = {
      status: 404,
      headers: Object.fromEntries(Array.from({ length: 12_000 }, (_, i) => [`x-${i}`, 'x'])),
    };
    expect(cameBack(await requests.send({ url: receiver.url }))).toBe(404);
    expect(receiver.connectionsTotal()).toBe(2);
  });

  test('a Retry-After beside a folded header is read', async () => {
    const server = await startRawServer({
      onRequest: (socket) =>
        void socket.write('HTTP/1.1 429 Slow\r\nx-a: b\r\n c\r\nRetry-After:  7 \r\nx-cut'),
    });
    const { answer: got } = await requests.send({ url: server.url });
    expect(got).toMatchObject({ kind: 'response', statusCode: 429, headers: { 'retry-after': '7' } });
    await server.close();
  });

  test.each(['100 Continue', '103 Early Hints'])('%s without end is ended by the deadline', async (line) => {
    const sockets = new Set<Socket>();
    const flooder = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', function flood() {
        if (socket.destroyed) return;
        // As fast as the client reads: the next piece follows when this one has left.
        socket.write(`HTTP/1.1 ${line}\r\nlink: </a>\r\n\r\n`.repeat(100), () => setImmediate(flood));
      });
    });
    flooder.listen(0, '127.0.0.1');
    await once(flooder, 'listening');
    const url = `http://127.0.0.1:${(flooder.address() as AddressInfo).port}/`;
    const sent = await requests.send({ url, timeoutMs: 500 });
    for (const socket of sockets) socket.destroy();
    flooder.close();
    await once(flooder, 'close');
    expect(cameBack(sent)).toBe('timeout');
  });
});

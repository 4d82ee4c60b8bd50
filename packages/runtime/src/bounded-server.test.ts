/** One connection costs a server one answer, whatever it sends. Takes about 2 s. */
import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import { type BoundedServerOptions, createBoundedServer } from './bounded-server.ts';

let server: Server;
let socket: Socket;

afterEach(async () => {
  socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function setup(handle: RequestListener, options: Partial<BoundedServerOptions> = {}): Promise<void> {
  server = createBoundedServer(handle, {
    requestTimeoutMs: 30_000,
    keepAliveTimeoutMs: 30_000,
    connectionsMax: 10,
    ...options,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
}

const get = (path: string, headers = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

test('requests that come together are answered one after the other, in their order', async () => {
  let inHand = 0;
  let inHandMax = 0;
  await setup((request, response) => {
    inHand += 1;
    inHandMax = Math.max(inHandMax, inHand);
    setImmediate(() => {
      inHand -= 1;
      response.end(`<${request.url}>`);
    });
  });
  socket.write(
    Array.from({ length: 10 }, (_, i) => get(`/${i}`)).join('') + get('/last', 'Connection: close\r\n'),
  );
  const answers = await text(socket);
  expect(answers.match(/<[^>]*>/g)).toEqual([...Array.from({ length: 10 }, (_, i) => `</${i}>`), '</last>']);
  expect(inHandMax).toBe(1);
});

test('a connection that sends a thousand requests and reads nothing is cut off, with one of them begun', async () => {
  let begun = 0;
  await setup(() => {
    begun += 1;
  });
  const closed = once(socket, 'close');
  socket.write(get('/').repeat(1_000));
  await closed;
  expect(begun).toBe(1);
});

test('what waits behind a request whose client has gone is not begun', async () => {
  let begun = 0;
  const { promise: gone, resolve: onGone } = Promise.withResolvers<void>();
  await setup((_request, response) => {
    begun += 1;
    response.once('close', onGone);
  });
  socket.write(get('/').repeat(3));
  await new Promise((resolve) => server.once('request', resolve));
  socket.destroy();
  await gone;
  await new Promise((resolve) => setImmediate(resolve));
  expect(begun).toBe(1);
});

test('a request that does not arrive in time is ended a second later at most', async () => {
  await setup(() => undefined, { requestTimeoutMs: 300 });
  server.on('clientError', (_error, from) => from.destroy());
  const closed = once(socket, 'close');
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
  await closed;
});

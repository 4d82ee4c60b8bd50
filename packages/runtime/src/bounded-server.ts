/**
 * An HTTP server that a few bytes can't stop. Node.js begins each request as soon as it has parsed it, and with pipelining
 * a thousand of them fit into one read of a socket: their answers, which nobody has to read, would fill the memory.
 *
 * Here a connection has one request in hand. Those behind it wait, a few of them; a client that sends more is cut off, and
 * so is one that does not read its answer. What must arrive in time is checked each second, and not each half minute, as is
 * Node's default.
 */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';

export interface BoundedServerOptions {
  /** For a whole request to arrive. */
  readonly requestTimeoutMs: number;
  /** For a connection without a request. */
  readonly keepAliveTimeoutMs: number;
  /** More are closed at once. */
  readonly connectionsMax: number;
}

// No client that we know sends the next request before it has the answer.
const WAITING_MAX = 16;
const HEADERS_TIMEOUT_MS = 10_000;
const CHECK_EVERY_MS = 1_000;
// Of an answer, nothing was read for so long.
const UNREAD_MAX_MS = 30_000;

interface Connection {
  /** How to begin the requests that wait. */
  readonly waiting: (() => void)[];
  isBusy: boolean;
  /** What of the answers was not taken yet when that last changed, and when it was. */
  unreadBytes: number;
  unreadSinceMs: number;
}

export function createBoundedServer(
  handle: RequestListener,
  { requestTimeoutMs, keepAliveTimeoutMs, connectionsMax }: BoundedServerOptions,
): Server {
  const connections = new Map<Socket, Connection>();
  const server = createServer(
    {
      requestTimeout: requestTimeoutMs,
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: CHECK_EVERY_MS,
    },
    (request, response) => {
      const { socket } = request;
      const connection = connections.get(socket);
      // It was cut off while it was being read.
      if (connection === undefined || socket.destroyed) return;
      const begin = () => {
        connection.isBusy = true;
        response.once('close', () => {
          connection.isBusy = false;
          connection.waiting.shift()?.();
        });
        handle(request, response);
      };
      if (!connection.isBusy) begin();
      else if (connection.waiting.push(begin) > WAITING_MAX) socket.destroy();
    },
  );
  server.maxConnections = connectionsMax;
  server.on('connection', (socket) => {
    connections.set(socket, { waiting: [], isBusy: false, unreadBytes: 0, unreadSinceMs: 0 });
    socket.once('close', () => {
      connections.get(socket)?.waiting.splice(0);
      connections.delete(socket);
    });
  });

  const checking = setInterval(() => {
    const nowMs = performance.now();
    for (const [socket, connection] of connections) {
      if (socket.writableLength !== connection.unreadBytes) {
        connection.unreadBytes = socket.writableLength;
        connection.unreadSinceMs = nowMs;
      } else if (connection.unreadBytes > 0 && nowMs - connection.unreadSinceMs > UNREAD_MAX_MS)
        socket.destroy();
    }
  }, CHECK_EVERY_MS).unref();
  server.on('close', () => clearInterval(checking));
  return server;
}

/** A server that says byte for byte what a test wants, as no HTTP server would; and knows which sockets are open. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

export interface RawServer {
  readonly url: string;
  /** Connections that are open now. */
  open(): number;
  connectionsTotal(): number;
  /** Requests heard so far, by the count of what each connection sent. */
  requests(): number;
  close(): Promise<void>;
}

/** `onRequest` is called for what a connection sends: mostly a request each time. `onConnect` at once. */
export async function startRawServer(
  {
    onRequest,
    onConnect,
  }: {
    onRequest?: (socket: Socket, nth: number, text: string) => void;
    onConnect?: (socket: Socket) => void;
  },
  tls?: TlsOptions,
): Promise<RawServer> {
  const sockets = new Set<Socket>();
  let connectionsTotal = 0;
  let requests = 0;
  const serve = (socket: Socket) => {
    let nth = 0;
    connectionsTotal += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      nth += 1;
      requests += 1;
      onRequest?.(socket, nth, chunk.toString('latin1'));
    });
    onConnect?.(socket);
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => sockets.size,
    connectionsTotal: () => connectionsTotal,
    requests: () => requests,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Writes a piece again and again, as fast as it is read, or every `everyMs`. */
export function writeForEver(socket: Socket, piece: string | Buffer, everyMs = 0): void {
  const next = () => {
    if (socket.destroyed || !socket.writable) return;
    socket.write(piece, () => (everyMs === 0 ? setImmediate(next) : setTimeout(next, everyMs)));
  };
  next();
}

/**
 * A real HTTP receiver that behaves as its script says, and keeps a ledger of what it was sent and what it did:
 * the truth that counters are held against.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket, type TlsOptions } from 'node:tls';

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly webhookId: string | undefined;
  /** Of the connection's other end; 0 where that was gone at once, and with TLS. */
  readonly remotePort: number;
  /** How many requests with this webhook-id have come, this one included. */
  readonly nth: number;
  /** The common name of the client's certificate, where it showed one. */
  readonly clientName: string | undefined;
}

export type Answer =
  | {
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string | Buffer;
      readonly delayMs?: number;
      /** It is sent when this has resolved. */
      readonly after?: Promise<unknown>;
    }
  /** Never answers. */
  | 'hang'
  /** Resets the connection. */
  | 'reset'
  /** Sends the status and half of the promised body, then resets. */
  | { readonly status: number; readonly cutBody: string }
  /** Sends the status, then a body without end. */
  | { readonly status: number; readonly endlessBody: string }
  /** Sends the status and a piece of the body, and no more. */
  | { readonly status: number; readonly stalledBody: string };

/** What the ledger keeps of a request. */
export interface LedgerEntry {
  readonly request: ReceivedRequest;
  /** The status that was sent, or what was done instead. */
  readonly did: number | 'hang' | 'reset';
}

export interface Receiver {
  readonly url: string;
  readonly ledger: readonly LedgerEntry[];
  count(did: (entry: LedgerEntry) => boolean): number;
  connections(): number;
  /** Connections opened so far. */
  connectionsTotal(): number;
  /** Resolves when so many requests are in the ledger. */
  received(requests: number): Promise<void>;
  close(): Promise<void>;
}

export interface ReceiverOptions {
  /** The server's certificate, and whose clients it lets in; plain HTTP without. */
  readonly tls?: TlsOptions;
}

// Longer than any client keeps a connection: a connection is then never closed here at the moment of its reuse.
const KEEP_ALIVE_MS = 600_000;

export async function startReceiver(
  script: (request: ReceivedRequest) => Answer = () => ({ status: 200 }),
  { tls }: ReceiverOptions = {},
): Promise<Receiver> {
  const ledger: LedgerEntry[] = [];
  const seen = new Map<string, number>();
  // By their other ends' ports, which a socket that was reset does not tell any more.
  const sockets = new Map<Socket, number>();
  const waiting = new Set<{ requests: number; resolve: () => void }>();
  let connectionsTotal = 0;

  const serve = (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    const remotePort = sockets.get(incoming.socket) ?? 0;
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => undefined);
    incoming.on('end', () => {
      const request = toRequest(incoming, remotePort, Buffer.concat(chunks), seen);
      const answer = script(request);
      ledger.push({ request, did: typeof answer === 'string' ? answer : answer.status });
      carryOut(answer, incoming, response);
      for (const waiter of waiting) {
        if (ledger.length >= waiter.requests) {
          waiting.delete(waiter);
          waiter.resolve();
        }
      }
    });
  };
  const options = { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 };
  const server =
    tls === undefined ? createServer(options, serve) : createTlsServer({ ...options, ...tls }, serve);
  server.on('tlsClientError', () => undefined);
  server.on('connection', (socket) => {
    connectionsTotal += 1;
    sockets.set(socket, socket.remotePort ?? 0);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ledger,
    count: (did) => ledger.filter(did).length,
    connections: () => sockets.size,
    connectionsTotal: () => connectionsTotal,
    received(requests) {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (ledger.length >= requests) resolve();
      else waiting.add({ requests, resolve });
      return promise;
    },
    async close() {
      for (const socket of sockets.keys()) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function toRequest(
  incoming: IncomingMessage,
  remotePort: number,
  body: Buffer,
  seen: Map<string, number>,
): ReceivedRequest {
  const webhookId = incoming.headers['webhook-id']?.toString();
  const nth = (seen.get(webhookId ?? '') ?? 0) + 1;
  seen.set(webhookId ?? '', nth);
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: incoming.headers,
    body,
    webhookId,
    remotePort,
    nth,
    clientName: clientNameOf(incoming.socket),
  };
}

function clientNameOf(socket: Socket): string | undefined {
  const name = socket instanceof TLSSocket ? socket.getPeerCertificate().subject?.CN : undefined;
  return Array.isArray(name) ? name[0] : name;
}

function carryOut(answer: Answer, incoming: IncomingMessage, response: ServerResponse): void {
  if (answer === 'hang') return;
  if (answer === 'reset') return void incoming.socket.resetAndDestroy();
  if ('cutBody' in answer) {
    response.writeHead(answer.status, { 'content-length': answer.cutBody.length * 2 });
    response.write(answer.cutBody, () => incoming.socket.destroy());
  } else if ('endlessBody' in answer) {
    response.writeHead(answer.status);
    const write = () => {
      while (!response.destroyed && response.write(answer.endlessBody));
    };
    response.on('drain', write);
    write();
  } else if ('stalledBody' in answer) {
    response.writeHead(answer.status, { 'content-length': answer.stalledBody.length * 2 });
    response.write(answer.stalledBody);
  } else if (answer.after !== undefined) {
    void answer.after.then(() => response.writeHead(answer.status, answer.headers).end(answer.body));
  } else if (answer.delayMs !== undefined) {
    setTimeout(() => response.writeHead(answer.status, answer.headers).end(answer.body), answer.delayMs);
  } else response.writeHead(answer.status, answer.headers).end(answer.body);
}

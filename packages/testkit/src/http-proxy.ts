/**
 * A real forward proxy on loopback: CONNECT for tunnels, absolute-form for plain HTTP. Its names are the test's: where
 * a request leads is looked up in a table, so that nothing goes anywhere else.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as sendRequest } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ProxiedRequest {
  readonly method: string;
  /** `host:port` of a CONNECT, an absolute URL otherwise. */
  readonly target: string;
  /** Its Proxy-Authorization. */
  readonly authorization: string | undefined;
}

export interface HttpProxy {
  readonly url: string;
  readonly requests: readonly ProxiedRequest[];
  /** Connections from clients so far. */
  connectionsTotal(): number;
  close(): Promise<void>;
}

/** `route`: the loopback port that a host leads to, or the status that it is refused with; hang: it gets no answer. */
export async function startHttpProxy(
  route: (host: string) => { readonly port: number } | { readonly refused: number } | 'hang',
): Promise<HttpProxy> {
  const requests: ProxiedRequest[] = [];
  const sockets = new Set<Socket>();
  let connectionsTotal = 0;
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  };
  const note = ({ method = '', url: target = '', headers }: IncomingMessage) =>
    requests.push({ method, target, authorization: headers['proxy-authorization'] });

  const server = createServer((incoming, response) => {
    note(incoming);
    const way = route(new URL(incoming.url ?? '').hostname);
    if (way === 'hang') return;
    if ('refused' in way) return void response.writeHead(way.refused).end();
    const { pathname, search } = new URL(incoming.url ?? '');
    const {
      'proxy-connection': _connection,
      'proxy-authorization': _authorization,
      ...headers
    } = incoming.headers;
    const onward = sendRequest(
      { host: '127.0.0.1', port: way.port, method: incoming.method, path: pathname + search, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  server.on('connect', (incoming, client: Socket) => {
    note(incoming);
    const way = route(new URL(`http://${incoming.url}`).hostname);
    if (way === 'hang') return;
    if ('refused' in way) return void client.end(`HTTP/1.1 ${way.refused} Refused\r\n\r\n`);
    const onward = connect(way.port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(client);
      client.pipe(onward);
    });
    track(onward);
    onward.on('close', () => client.destroy());
    client.on('close', () => onward.destroy());
  });
  server.on('connection', (socket) => {
    connectionsTotal += 1;
    track(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connectionsTotal: () => connectionsTotal,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

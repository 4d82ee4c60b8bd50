/** Stands between a process and Redis, and does to their connections what networks do. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Cuts every connection, now. */
  cut(): void;
  /** The next command that holds this text reaches the server; its connection is cut before the reply comes back. */
  loseReplyAfter(text: string): Promise<void>;
  /**
   * Called with each piece that a client sends, before it is passed on; where it returns false, the piece and all
   * that follows on that connection is held back, as in a network that has stopped.
   */
  onRequest(passes: ((piece: Buffer) => boolean) | undefined): void;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { port: number }): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let losing: { text: string; done: () => void } | undefined;
  let passes: ((piece: Buffer) => boolean) | undefined;

  const proxy = createServer((client) => {
    const server = connect(target.port, '127.0.0.1');
    const pair = { client, server };
    pairs.add(pair);
    let held = false;
    let cutOnReply: (() => void) | undefined;
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    client.on('data', (piece) => {
      if (held || passes?.(piece) === false) {
        held = true;
        return;
      }
      if (losing !== undefined && piece.includes(losing.text)) {
        cutOnReply = losing.done;
        losing = undefined;
      }
      server.write(piece);
    });
    server.on('data', (piece) => {
      if (cutOnReply !== undefined) {
        end();
        cutOnReply();
      } else if (!held) client.write(piece);
    });
    for (const socket of [client, server]) {
      socket.on('close', end);
      socket.on('error', end);
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');

  function cut(): void {
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
    pairs.clear();
  }

  return {
    port: (proxy.address() as AddressInfo).port,
    cut,
    loseReplyAfter(text) {
      const { promise, resolve } = Promise.withResolvers<void>();
      losing = { text, done: resolve };
      return promise;
    },
    onRequest(listener) {
      passes = listener;
    },
    async close() {
      cut();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

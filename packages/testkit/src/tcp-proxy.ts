/**
 * Stands between a process and a server, and does to their connections what networks do: cuts them, stalls, delays,
 * loses a reply, or leaves them half open.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What the proxy knows of one of its connections, also after its end. */
export interface ProxiedConnection {
  readonly clientPort: number;
  /** Milliseconds since 1970. */
  readonly openedAtMs: number;
  /** Something was done to it that may have kept a piece from its receiver, or made it late. */
  readonly isDisturbed: boolean;
}

export interface TcpProxy {
  readonly port: number;
  /** Resets every connection, now. */
  cut(): void;
  /** Nothing passes, on connections old and new; what comes meanwhile passes when the function that it returns is called. */
  stall(): () => void;
  /** From now on each piece passes so much later; 0 ends it. */
  delay(ms: number): void;
  /**
   * The server's sides end, and the clients, of the connections there are, hear no more of it: as where a machine is
   * gone. The function that it returns resets them.
   */
  halfOpen(): () => void;
  /** The next command that holds this text reaches the server; its connection is cut before the reply comes back. */
  loseReplyAfter(text: string): Promise<void>;
  /**
   * Called with each piece that a client sends, before it is passed on; where it returns false, the piece and all
   * that follows on that connection is held back, as in a network that has stopped.
   */
  onRequest(passes: ((piece: Buffer) => boolean) | undefined): void;
  /** The connection that the server sees as coming from this port. */
  connectionFrom(port: number): ProxiedConnection | undefined;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly connection: { -readonly [K in keyof ProxiedConnection]: ProxiedConnection[K] };
  /** Its client hears nothing more. */
  isDeaf: boolean;
}

export async function startTcpProxy(target: { port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const byServerPort = new Map<number, ProxiedConnection>();
  let losing: { text: string; done: () => void } | undefined;
  let passes: ((piece: Buffer) => boolean) | undefined;
  let stalls = 0;
  let delayMs = 0;

  const proxy = createServer((client) => {
    const server = connect(target.port, '127.0.0.1');
    const connection = {
      clientPort: client.remotePort ?? 0,
      openedAtMs: Date.now(),
      isDisturbed: stalls > 0 || delayMs > 0,
    };
    const pair: Pair = { client, server, connection, isDeaf: false };
    pairs.add(pair);
    let held = false;
    let cutOnReply: (() => void) | undefined;
    const end = (isReset: boolean) => endPair(pair, isReset);
    const toServer = pass(server);
    const toClient = pass(client);
    server.on('connect', () => void byServerPort.set(server.localPort ?? 0, connection));
    client.on('data', (piece) => {
      if (held || passes?.(piece) === false) {
        held = true;
        connection.isDisturbed = true;
        return;
      }
      if (losing !== undefined && piece.includes(losing.text)) {
        cutOnReply = losing.done;
        losing = undefined;
      }
      if (!pair.isDeaf) toServer(piece);
    });
    server.on('data', (piece) => {
      if (cutOnReply !== undefined) {
        connection.isDisturbed = true;
        end(true);
        cutOnReply();
      } else if (!held && !pair.isDeaf) toClient(piece);
    });
    for (const socket of [client, server]) {
      // A reset is passed on as one: it is another answer than an orderly end.
      socket.on('close', (isReset) => {
        if (!pair.isDeaf || socket === client) end(isReset);
      });
      socket.on('error', () => undefined);
      if (stalls > 0) socket.pause();
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');

  /** Writes in the order of the pieces, each when its delay is over. */
  function pass(to: Socket): (piece: Buffer) => void {
    const late: { piece: Buffer; dueAtMs: number }[] = [];
    const writeDue = () => {
      for (let next = late[0]; next !== undefined; next = late[0]) {
        const leftMs = next.dueAtMs - performance.now();
        if (leftMs > 0) return void setTimeout(writeDue, leftMs);
        to.write(next.piece);
        late.shift();
      }
    };
    return (piece) => {
      if (delayMs === 0 && late.length === 0) return void to.write(piece);
      late.push({ piece, dueAtMs: performance.now() + delayMs });
      if (late.length === 1) writeDue();
    };
  }

  function disturbAll(): void {
    for (const { connection } of pairs) connection.isDisturbed = true;
  }

  function cutAll(some: Iterable<Pair>): void {
    for (const pair of [...some]) {
      pair.connection.isDisturbed = true;
      pair.isDeaf = false;
      endPair(pair, true);
    }
  }

  function endPair(pair: Pair, isReset: boolean): void {
    pairs.delete(pair);
    for (const socket of [pair.client, pair.server]) {
      if (isReset) socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  return {
    port: (proxy.address() as AddressInfo).port,
    cut: () => cutAll(pairs),
    stall() {
      stalls += 1;
      disturbAll();
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.pause();
      return () => {
        stalls -= 1;
        if (stalls > 0) return;
        for (const { client, server } of pairs) for (const socket of [client, server]) socket.resume();
      };
    },
    delay(ms) {
      delayMs = ms;
      disturbAll();
    },
    halfOpen() {
      const hit = [...pairs];
      for (const pair of hit) {
        pair.connection.isDisturbed = true;
        pair.isDeaf = true;
        pair.server.destroy();
      }
      return () => cutAll(hit);
    },
    loseReplyAfter(text) {
      const { promise, resolve } = Promise.withResolvers<void>();
      losing = { text, done: resolve };
      return promise;
    },
    onRequest(listener) {
      passes = listener;
    },
    connectionFrom: (port) => byServerPort.get(port),
    async close() {
      cutAll(pairs);
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

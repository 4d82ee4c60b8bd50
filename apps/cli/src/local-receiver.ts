/** A receiver for a person who develops one: it keeps nothing, tells of each request, and answers as it was told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ReceivedWebhook {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface LocalReceiverOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly status: number;
  readonly delayMs: number;
  readonly onReceived: (webhook: ReceivedWebhook) => void;
  /** The answer has left. */
  readonly onAnswered: () => void;
}

export interface LocalReceiver {
  readonly url: string;
  /** Answers what it has; cuts what still waits. */
  close(): Promise<void>;
}

// Far beyond what the fleet sends: a batch is a mebibyte, a webhook too.
const BODY_BYTES_MAX = 16 * 1024 * 1024;

export async function startLocalReceiver(options: LocalReceiverOptions): Promise<LocalReceiver> {
  const { host, port, status, delayMs, onReceived, onAnswered } = options;
  const server = createServer((request, response) => {
    void bodyOf(request).then(async (body) => {
      if (body === undefined) return void response.writeHead(413).end();
      const { method = '', url = '' } = request;
      onReceived({ method, path: url, headers: headersOf(request), body });
      if (delayMs > 0) await sleep(delayMs, undefined, { ref: false });
      if (!response.destroyed) response.writeHead(status).end(onAnswered);
    });
  });
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${name}:${address.port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Undefined where it is longer than anything that we send. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) return undefined;
      chunks.push(chunk);
    }
  } catch {
    // The sender went away in the middle: there is nobody to answer.
    return undefined;
  }
  return Buffer.concat(chunks);
}

function headersOf(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headersDistinct).map(([name, values = []]) => [name, values.join(', ')]),
  );
}

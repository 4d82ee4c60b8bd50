/**
 * A server of health and metrics alone, for a process that has no API. It is Node's own: three routes don't need a
 * framework, whose loading would be a tenth of such a process's start.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerClientError } from './answer-client-error.ts';
import { createBoundedServer } from './bounded-server.ts';
import { type OpsOptions, opsAnswers } from './ops-answers.ts';
import type { Listener } from './listen.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

export interface OpsServer extends Listener {
  /** Closes its connections, those in use too. */
  close(): Promise<void>;
}

// Its callers are probes and scrapers: a request that takes longer to arrive is none of theirs.
const REQUEST_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;
const CONNECTIONS_MAX = 100;

export function createOpsServer(options: OpsOptions): OpsServer {
  const answers = opsAnswers(options);
  const server = createBoundedServer(
    (request, response) => {
      // Nothing here reads a body; one that is left unread would hold the connection.
      request.resume();
      answer(request, response).catch((error: Error) => response.destroy(error));
    },
    {
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      keepAliveTimeoutMs: IDLE_TIMEOUT_MS,
      connectionsMax: CONNECTIONS_MAX,
    },
  );
  server.setTimeout(IDLE_TIMEOUT_MS);
  server.on('clientError', answerClientError);

  async function answer({ method = '', url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = ''] = url.split('?', 1);
    const found = Object.hasOwn(answers, path) ? answers[path] : undefined;
    if (found === undefined || (method !== 'GET' && method !== 'HEAD')) {
      const problem = {
        type: 'about:blank',
        title: 'Not Found',
        status: 404,
        detail: `No route ${method} ${path}`,
      };
      return send(404, { 'content-type': 'application/problem+json' }, JSON.stringify(problem));
    }
    const { status, headers, body } = await found();
    send(status, headers, body);

    function send(code: number, headersOfAnswer: Readonly<Record<string, string>>, text: string): void {
      response.writeHead(code, {
        ...SECURITY_HEADERS,
        ...headersOfAnswer,
        'content-length': Buffer.byteLength(text),
      });
      response.end(method === 'HEAD' ? undefined : text);
    }
  }

  return {
    listen({ host, port }) {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          const address = server.address() as { address: string; family: string; port: number };
          const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
          resolve(`http://${name}:${address.port}`);
        });
      });
    },
    close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

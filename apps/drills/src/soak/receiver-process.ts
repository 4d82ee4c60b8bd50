/**
 * The destinations of a soak: most requests are answered with 200, some of those to /flaky with 503, all to /refuses with
 * 422. It keeps no request, or it would grow itself; it opens another port whenever it is asked to.
 */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  /** Of the port that was opened last. */
  readonly url: string;
  /** Answers by status. */
  readonly answers: Readonly<Record<number, number>>;
}

const FLAKY_SHARE = 0.3;
const answers: Record<number, number> = {};

const answer: RequestListener = (request, response) => {
  request.resume().on('end', () => {
    const status = statusOf(request.url ?? '');
    answers[status] = (answers[status] ?? 0) + 1;
    response.writeHead(status).end(status === 200 ? undefined : 'not this time');
  });
};

function statusOf(path: string): number {
  if (path === '/refuses') return 422;
  return path === '/flaky' && Math.random() < FLAKY_SHARE ? 503 : 200;
}

function listen(): Promise<string> {
  const server = createServer({ keepAliveTimeout: 60_000 }, answer);
  const { promise, resolve } = Promise.withResolvers<string>();
  server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  return promise;
}

let url = await listen();
process.on('message', ({ another = false }: { another?: boolean }) => {
  void (async () => {
    if (another) url = await listen();
    tell();
  })();
});
tell();

function tell(): void {
  process.send?.({ url, answers } satisfies Received);
}

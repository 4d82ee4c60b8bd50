/** Answers every request with 200 at once, counts them, and where they tell when they were sent, how long they took. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly url: string;
  readonly count: number;
  /** Milliseconds from sent to received, since the question before. */
  readonly latenciesMs: readonly number[];
}

let count = 0;
let latenciesMs: number[] = [];

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    count += 1;
    response.end();
    const body = Buffer.concat(chunks);
    const at = body.indexOf('"sentAt":');
    if (at !== -1) latenciesMs.push(now() - Number.parseFloat(body.toString('latin1', at + 9, at + 30)));
  });
});

/** Of one clock for all processes of this machine, finer than a millisecond. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

server.listen(0, '127.0.0.1', () => tell());
process.on('message', () => {
  tell();
  latenciesMs = [];
});

function tell(): void {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  process.send?.({ url, count, latenciesMs } satisfies Received);
}

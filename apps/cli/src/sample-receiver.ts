/**
 * The destination of the sample campaign: answers as real ones do, and counts what it answered. What it does with a
 * webhook follows from the webhook's id alone, so that every attempt of it meets the same destination.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** Named as the campaign's counters are, so that the two can be laid side by side. */
export interface Counts {
  'webhook.delivered': number;
  'webhook.bounced': number;
  'webhook.error': number;
  http_5xx: number;
  http_4xx: number;
  timeout: number;
  connection: number;
  'messages.delivered': number;
  'messages.failed': number;
}

export interface SampleReceiver {
  readonly url: string;
  counts(): Counts;
  close(): Promise<void>;
}

type Step = number | 'hang' | 'reset';

/** Of 1,000 webhooks, how many meet which steps, one an attempt; the last step answers all further attempts. */
const SCRIPT: readonly (readonly [permille: number, steps: readonly Step[]])[] = [
  [35, [503, 200]],
  [10, [502, 503, 204]],
  [4, [500]],
  [20, [404]],
  [8, [422]],
  [6, [429, 200]],
  [8, ['reset', 200]],
  [3, ['hang', 200]],
  [906, [200]],
];

// Longer than the fleet keeps a connection, so that none is closed here at the moment it is used again.
const KEEP_ALIVE_MS = 600_000;
const LATENCY_MAX_MS = 25;

export async function startSampleReceiver(): Promise<SampleReceiver> {
  const attempts = new Map<string, number>();
  const delivered = new Set<string>();
  const answers = { delivered: 0, http_5xx: 0, http_4xx: 0, timeout: 0, connection: 0 };
  const sockets = new Set<Socket>();

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const id = String(request.headers['webhook-id']);
    const attempt = (attempts.get(id) ?? 0) + 1;
    attempts.set(id, attempt);
    const dice = createHash('sha256').update(id).digest();
    const steps = stepsOf(dice.readUInt32BE(0) % 1_000);
    const step = steps[Math.min(attempt, steps.length) - 1] ?? 200;
    if (step === 'hang') {
      answers.timeout += 1;
    } else if (step === 'reset') {
      answers.connection += 1;
      request.socket.resetAndDestroy();
    } else {
      if (step < 300) {
        answers.delivered += 1;
        delivered.add(id);
      } else answers[step < 500 ? 'http_4xx' : 'http_5xx'] += 1;
      const headers = step === 429 ? { 'retry-after': '1' } : {};
      setTimeout(
        () => response.writeHead(step, headers).end(step < 300 ? 'ok' : 'not this time'),
        dice.readUInt8(4) % LATENCY_MAX_MS,
      );
    }
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    request.on('error', () => undefined);
    request.once('end', () => answer(request, response));
    request.resume();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts: () => ({
      'webhook.delivered': answers.delivered,
      'webhook.bounced': answers.http_5xx + answers.timeout + answers.connection,
      'webhook.error': answers.http_4xx,
      http_5xx: answers.http_5xx,
      http_4xx: answers.http_4xx,
      timeout: answers.timeout,
      connection: answers.connection,
      'messages.delivered': delivered.size,
      'messages.failed': attempts.size - delivered.size,
    }),
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function stepsOf(permille: number): readonly Step[] {
  let upTo = 0;
  for (const [share, steps] of SCRIPT) {
    upTo += share;
    if (permille < upTo) return steps;
  }
  return [200];
}

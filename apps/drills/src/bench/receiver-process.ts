/**
 * Answers every request with 200, at once or after a while, counts them, and where they tell when they were sent, how long they took.
 * It shares the machine with those it measures, so it does no more of HTTP than that: bodies of a told length, over
 * connections that are kept. node:http would take a fifth of the machine away from the fastest of them.
 */
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { drillChild } from '../drill-child.ts';

export interface ReceiverSettings {
  /** At once if absent. As a destination that is so far away, or takes so long. */
  readonly answerAfterMs?: number;
}

export interface Received {
  readonly url: string;
  readonly count: number;
  /** Milliseconds from sent to received, since the question before. */
  readonly latenciesMs: readonly number[];
  /** Connections since the start: of clients that keep them, few. */
  readonly connections: number;
  /** Of this process, since the start. */
  readonly cpuMicros: number;
}

const ANSWER =
  'HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nkeep-alive: timeout=60\r\ncontent-length: 0\r\n\r\n';
const HEAD_END = '\r\n\r\n';
const SENT_AT = '"sentAt":';

const { answerAfterMs = 0 } = drillChild<ReceiverSettings>();
let count = 0;
let connections = 0;
let latenciesMs: number[] = [];

const server = createServer({ noDelay: true }, (socket) => {
  connections += 1;
  let pending: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    pending = answer(socket, pending.length === 0 ? chunk : Buffer.concat([pending, chunk]));
  });
  // A client that is killed is no news.
  socket.on('error', () => socket.destroy());
});

/** Answers what has come whole; gives back the rest. */
function answer(socket: Socket, received: Buffer): Buffer {
  let rest = received;
  for (;;) {
    const headEnd = rest.indexOf(HEAD_END);
    if (headEnd === -1) return rest;
    const length = /\r\ncontent-length: *(\d+)/i.exec(rest.toString('latin1', 0, headEnd))?.[1];
    if (length === undefined) throw new Error('a request without content-length');
    const bodyAt = headEnd + HEAD_END.length;
    const end = bodyAt + Number(length);
    if (rest.length < end) return rest;
    count += 1;
    const at = rest.indexOf(SENT_AT, bodyAt) + SENT_AT.length;
    const sentAt = Number.parseFloat(rest.toString('latin1', at, at + 20));
    // 0: nobody wants to know.
    if (sentAt > 0) latenciesMs.push(performance.timeOrigin + performance.now() - sentAt);
    if (answerAfterMs === 0) socket.write(ANSWER);
    else setTimeout(() => socket.write(ANSWER), answerAfterMs);
    rest = rest.subarray(end);
  }
}

server.listen(0, '127.0.0.1', () => tell());
process.on('message', () => {
  tell();
  latenciesMs = [];
});

function tell(): void {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { user, system } = process.cpuUsage();
  process.send?.({ url, count, latenciesMs, connections, cpuMicros: user + system } satisfies Received);
}

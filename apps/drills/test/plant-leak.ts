/**
 * A leak of each kind, for a worker that is started with `--import` of this file: for the requests that it makes, it keeps
 * memory, opens sockets, and writes keys to Redis that nobody takes away.
 */
import { subscribe } from 'node:diagnostics_channel';
import { connect, type Socket } from 'node:net';

// Enough of each to show within the nine seconds of the test's load.
const KEPT_EACH = 4_000;
const REQUESTS_A_SOCKET = 15;

const kept: number[][] = [];
const sockets: Socket[] = [];
const { hostname, port } = new URL(process.env['REDIS_URL'] ?? '');

subscribe('http.client.request.start', () => {
  // Of eight bytes each.
  kept.push(new Array<number>(KEPT_EACH).fill(kept.length));
  if (kept.length % REQUESTS_A_SOCKET !== 0) return;
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined).on('data', () => undefined);
  socket.write(`SET {hookfleet}:planted:${kept.length} x\r\n`);
  sockets.push(socket);
});

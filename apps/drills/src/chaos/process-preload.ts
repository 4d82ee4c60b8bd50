/**
 * Loaded into each process of the fleet before its own code (NODE_OPTIONS=--import). It lets the drill move the
 * process's clock: at SIGUSR2 it reads from a file by how many milliseconds Date is off. And it writes down which ports
 * the process connects from, so that the drill knows whose a request was, also when its sender is dead. It changes
 * nothing else; timers and performance.now() go on, as they do where an operator or NTP sets a clock.
 */
import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

const { searchParams } = new URL(import.meta.url);
const directory = searchParams.get('directory') ?? '';
const destinationPort = Number(searchParams.get('destinationPort'));
const UnmovedDate = Date;
let offsetMs = 0;

globalThis.Date = class extends UnmovedDate {
  constructor(...parts: [] | [number]) {
    if (parts.length === 0) super(UnmovedDate.now() + offsetMs);
    else super(...parts);
  }

  static override now(): number {
    return UnmovedDate.now() + offsetMs;
  }
} as DateConstructor;

process.on('SIGUSR2', () => {
  offsetMs = Number(readFileSync(`${directory}/${process.pid}.clock`, 'utf8'));
});

subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket };
  // At once and whole: a process that is killed has said it before it sent anything.
  socket.once('connect', () => {
    if (socket.remotePort === destinationPort)
      appendFileSync(`${directory}/connections`, `${process.pid} ${socket.localPort} ${UnmovedDate.now()}\n`);
  });
});

/**
 * An address that drops who wants to connect, as a firewall would: a listener that accepts nobody, and has as many waiting
 * as it takes. It runs in a process of its own, which is stopped.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface FullListener {
  readonly port: number;
  /** It accepts again: who is retried by the system gets through. */
  resume(): void;
  close(): Promise<void>;
}

const LISTENER = `
const server = require('node:net').createServer((socket) => {
  socket.on('error', () => undefined);
  socket.on('data', () => socket.end('HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok'));
});
server.listen({ host: process.argv[1], port: Number(process.argv[2]), backlog: 1 }, () => console.log(server.address().port));
`;
// Linux takes one more than the backlog says.
const WAITING = 2;

export async function startFullListener(host = '127.0.0.1', port = 0): Promise<FullListener> {
  const child = spawn(process.execPath, ['-e', LISTENER, host, `${port}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const listening = Number(line.toString());
  child.kill('SIGSTOP');
  const waiting: Socket[] = [];
  for (let i = 0; i < WAITING; i += 1) {
    const socket = connect(listening, host).on('error', () => undefined);
    waiting.push(socket);
    await once(socket, 'connect');
  }
  return {
    port: listening,
    resume: () => void child.kill('SIGCONT'),
    async close() {
      for (const socket of waiting) socket.destroy();
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

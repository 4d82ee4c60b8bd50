/**
 * Lets a server end as soon as its last request is answered. Node.js closes the connections that idle when it begins to
 * end, and leaves two kinds that would hold the process until the shutdown's time is up: those that were opened and
 * never used (a client that gave a call up, a load balancer that dialled ahead), and those whose request was under way
 * and whose client keeps them for the next.
 */
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

export function endConnections(app: FastifyInstance): void {
  const unused = new Set<Socket>();
  let isEnding = false;
  app.server.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  app.server.on('request', ({ socket }: { readonly socket: Socket }) => unused.delete(socket));
  app.addHook('preClose', async () => {
    isEnding = true;
    for (const socket of unused) socket.destroy();
  });
  app.addHook('onSend', async (_request, reply) => {
    if (isEnding) reply.header('connection', 'close');
  });
}

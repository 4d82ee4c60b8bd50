/** A server that closes answers the requests in progress, and does not wait for idle connections. Takes under a second. */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from '@jest/globals';
import fastify from 'fastify';
import { endConnections } from './end-connections.ts';

test('neither a connection that was never used holds up the end, nor one whose request was under way: that is answered', async () => {
  const app = fastify({ forceCloseConnections: 'idle' });
  endConnections(app);
  const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
  const { promise: closing, resolve: onClosing } = Promise.withResolvers<void>();
  app.get('/', async () => {
    onAsked();
    await closing;
    return 'answered';
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  const answer = fetch(url).then((response) => response.text());
  await asked;
  const ended = app.close();
  await closed;
  onClosing();
  expect(await answer).toBe('answered');
  await ended;
});

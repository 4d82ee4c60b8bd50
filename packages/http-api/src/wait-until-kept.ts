/**
 * A call that operates is answered when Redis keeps what it has changed: a cancel that was answered with 200 and is gone
 * after a failover would send what it was to stop. Calls that bring something in wait for themselves, for their own shards.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { neededRole } from './access.ts';
import { isBelowV1 } from './below-v1.ts';

/** Called before the first write of a call. The result is called after the last; it rejects if that may be lost. */
export type BeginWait = () => () => Promise<void>;

export function waitUntilKept(app: FastifyInstance, begin: BeginWait): void {
  const waits = new WeakMap<FastifyRequest, () => Promise<void>>();

  app.addHook('preHandler', async (request) => {
    const { method, routeOptions } = request;
    if (routeOptions.url === undefined || !isBelowV1(request)) return;
    if (neededRole(method, routeOptions.config.needs) === 'operate') waits.set(request, begin());
  });

  app.addHook('onSend', async (request, { statusCode }) => {
    const untilKept = waits.get(request);
    // What a wait that fails is answered with is sent, too.
    waits.delete(request);
    if (statusCode < 400) await untilKept?.();
  });
}

/**
 * Overload is answered at once, with 503: beyond a number of requests in flight, or of body bytes that they hold,
 * a request is turned away before its body is read. So memory is bounded whatever callers do.
 */
import { ProblemError } from '@hookfleet/http-api';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export interface SheddingOptions {
  readonly requestsMax: number;
  readonly bodyBytesHeldMax: number;
  /** What a body without Content-Length is taken for. */
  readonly unknownBodyBytes: number;
}

export function addLoadShedding(
  app: FastifyInstance,
  { requestsMax, bodyBytesHeldMax, unknownBodyBytes }: SheddingOptions,
): void {
  const held = new WeakMap<FastifyRequest, number>();
  let requests = 0;
  let bodyBytes = 0;

  app.addHook('onRequest', async (request) => {
    if (!request.url.startsWith('/v1')) return;
    const length = Number(
      request.headers['content-length'] ??
        (request.headers['transfer-encoding'] === undefined ? 0 : unknownBodyBytes),
    );
    if (requests >= requestsMax || (bodyBytes > 0 && bodyBytes + length > bodyBytesHeldMax)) {
      throw new ProblemError(503, 'Too much at once. Try again.', {
        headers: { 'retry-after': '1', connection: 'close' },
      });
    }
    requests += 1;
    bodyBytes += length;
    held.set(request, length);
  });

  const giveBack = (request: FastifyRequest) => {
    const length = held.get(request);
    if (length === undefined) return;
    held.delete(request);
    requests -= 1;
    bodyBytes -= length;
  };
  app.addHook('onResponse', async (request) => giveBack(request));
  app.addHook('onRequestAbort', async (request) => giveBack(request));
}

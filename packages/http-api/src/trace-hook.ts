/**
 * A span for each call below /v1, in its caller's trace. Only where tracing is on; otherwise no hook is there, and what a
 * caller's traceparent says is passed on as it came.
 */
import { readSampledContext, readTraceContext, type TraceContext } from '@hookfleet/contract';
import type { Span, Tracing } from '@hookfleet/tracing';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const spans = new WeakMap<FastifyRequest, Span>();

/** To be added behind the hook that lets callers in: who isn't let in costs no span. */
export function addTraceHook(app: FastifyInstance, tracing: Tracing): void {
  app.addHook('onRequest', async (request) => {
    const { headers, method, protocol, routeOptions, url } = request;
    const route = routeOptions.url;
    if (route === undefined || !route.startsWith('/v1')) return;
    const span = tracing.startSpan({
      name: `${method} ${route}`,
      kind: 'server',
      parent: readTraceContext(headers),
      attributes: {
        'http.request.method': method,
        'http.route': route,
        'url.path': url.split('?', 1)[0],
        'url.scheme': protocol,
      },
    });
    spans.set(request, span);
  });

  app.addHook('onResponse', async (request, { statusCode }) => {
    spans.get(request)?.end({
      attributes: { 'http.response.status_code': statusCode },
      // The caller's mistakes are no failure of the server's.
      error: statusCode >= 500 ? String(statusCode) : undefined,
    });
  });
}

/** What the work of a call belongs to; undefined where it is not sampled. */
export function traceOfCall(request: FastifyRequest): TraceContext | undefined {
  const span = spans.get(request);
  return span === undefined ? readSampledContext(request.headers) : span.context;
}

/**
 * JSON bodies: a value where a route doesn't say otherwise, and bytes where it passes on what it is given
 * (`keepsJsonBytes`). Bytes that are no UTF-8 are refused: a decoder would put other characters in their place.
 */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalidInput, ProblemError } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route reads the body's bytes by itself (jsonBytes), and says whether they are JSON, or UTF-8. */
    keepsJsonBytes?: boolean;
  }
}

const NOTHING = Buffer.alloc(0);

export function addJsonBodies(app: FastifyInstance): void {
  // Payloads are data that we pass on, never objects that we merge: fields of any name are let through unharmed.
  const parse = app.getDefaultJsonParser('ignore', 'ignore');
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (request.routeOptions.config?.keepsJsonBytes === true) return done(null, body);
    if (!isUtf8(body)) {
      return done(invalidInput([{ field: '', type: 'INVALID_VALUE', detail: 'is not valid UTF-8' }]));
    }
    void parse(request, body.toString(), done);
  });
}

/** The body of a route that keeps it; nothing where there is none. */
export function jsonBytes({ body }: FastifyRequest): Buffer {
  if (typeof body === 'string') throw new ProblemError(415, 'The body must be application/json.');
  return Buffer.isBuffer(body) ? body : NOTHING;
}

/**
 * JSON bodies: a value where a route doesn't say otherwise, and bytes where it passes on what it is given
 * (`keepsJsonBytes`). A body is bounded before values are made of it: in depth, because what comes later may follow the
 * nesting by recursion, and in the number of values, because a value of three bytes ({},) takes up to 80 of memory. What
 * is bounded in bytes alone can be 40 times as large in memory, and hold the event loop for as long as it takes to build.
 * Bytes that are no UTF-8 are refused: a decoder would put other characters in their place.
 *
 * A body without bytes is none, whatever content type its request names: many clients always name one. One that is compressed,
 * or in another charset, is refused by what its headers say (RFC 9110, 15.5.16): by its bytes it would be no JSON.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { JSON_VALUES_MAX, JsonReader, JsonTextError, PAYLOAD_DEPTH_MAX } from '@hookfleet/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isBelowV1 } from './below-v1.ts';
import { invalidInput, ProblemError } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route reads and bounds the body's bytes by itself (jsonBytes), and says whether they are JSON, or UTF-8. */
    keepsJsonBytes?: boolean;
  }
}

/** Told how many values a body holds; throws to refuse the call before they are made. */
export type OnJsonValues = (request: FastifyRequest, values: number) => void;

const NOTHING = Buffer.alloc(0);

export function addJsonBodies(app: FastifyInstance, onJsonValues: OnJsonValues = () => undefined): void {
  app.addHook('onRequest', async (request) => {
    const { headers } = request.raw;
    const isEmpty =
      headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
    // fastify would look for a parser, and find none or one that refuses nothing at all.
    if (!isBelowV1(request)) return;
    if (isEmpty) delete headers['content-type'];
    else refuseOtherForms(headers);
  });

  app.removeContentTypeParser('application/json');
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    if (request.routeOptions.config?.keepsJsonBytes === true) return done(null, body);
    try {
      const { text, values } = boundedText(body);
      onJsonValues(request, values);
      // Payloads are data that we pass on, never objects that we merge: fields of any name are let through unharmed.
      done(null, JSON.parse(text));
    } catch (error) {
      done(error as Error);
    }
  });
}

const CHARSET = /;\s*charset\s*=\s*"?([^";\s]+)/i;
const UTF_8 = new Set(['utf-8', 'utf8', 'us-ascii']);

function refuseOtherForms(headers: IncomingHttpHeaders): void {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== '' && encoding !== 'identity')
    throw new ProblemError(415, 'The body must not be compressed.', {
      headers: { 'accept-encoding': 'identity' },
    });
  const [, charset = 'utf-8'] = CHARSET.exec(headers['content-type'] ?? '') ?? [];
  if (!UTF_8.has(charset.toLowerCase())) throw new ProblemError(415, 'The body must be UTF-8.');
}

/** The body of a route that keeps it; nothing where there is none. */
export function jsonBytes({ body }: FastifyRequest): Buffer {
  if (typeof body === 'string') throw new ProblemError(415, 'The body must be application/json.');
  return Buffer.isBuffer(body) ? body : NOTHING;
}

/** Throws ProblemError, without what the body holds: it may be a secret, and a log's reader is not the caller. */
function boundedText(body: Buffer): { readonly text: string; readonly values: number } {
  if (!isUtf8(body)) throw invalidInput([{ field: '', type: 'INVALID_VALUE', detail: 'is not valid UTF-8' }]);
  const reader = new JsonReader(body, { depthMax: PAYLOAD_DEPTH_MAX, valuesMax: JSON_VALUES_MAX });
  reader.peek();
  const start = reader.at;
  try {
    reader.skipValue();
    reader.end();
  } catch (error) {
    if (!(error instanceof JsonTextError)) throw error;
    const type = error.reason === 'values' ? 'TOO_LONG' : 'INVALID_VALUE';
    throw invalidInput([{ field: '', type, detail: error.message }]);
  }
  return { text: reader.text(start, reader.at), values: reader.values };
}

/**
 * Overload is answered at once, with 503: beyond a number of requests in flight, or of memory that their bodies take,
 * a request is turned away before its body is read. So memory is bounded whatever callers do.
 *
 * A body is charged what it costs, not what it is long: its text, the webhooks made of it, and what is written to Redis
 * exist at the same time. The values that JSON.parse makes of it are charged when their number is known, before they
 * are made; of a webhook's payload none are made. All of it is given back with the answer.
 */
import { isBelowV1, type OnJsonValues, ProblemError } from '@hookfleet/http-api';
import type { FastifyInstance, FastifyRequest } from 'fastify';

export interface SheddingOptions {
  readonly requestsMax: number;
  readonly bodyBytesHeldMax: number;
}

/**
 * Measured in a memory cgroup: two bulk calls of 32 MiB at once take 150 MiB, which is 2.3 bytes for each byte, and 270
 * MiB, 4.2 bytes, if one character of each payload makes its text one of two bytes a character.
 */
export const BYTES_HELD_PER_BODY_BYTE = 4;

// Measured with Node.js 24: an empty object 56 bytes and its place in a list 8 to 16; a property of a large object 40.
const BYTES_PER_VALUE = 72;

export interface LoadShedding {
  /** Charges what a body's values take beyond its bytes. Throws the answer 503 if it is too much. */
  readonly charge: OnJsonValues;
}

export function addLoadShedding(
  app: FastifyInstance,
  { requestsMax, bodyBytesHeldMax }: SheddingOptions,
): LoadShedding {
  const held = new WeakMap<FastifyRequest, number>();
  let requests = 0;
  let bytesHeld = 0;

  app.addHook('onRequest', async (request) => {
    if (!isBelowV1(request)) return;
    const bytes = bodyBytesOf(request) * BYTES_HELD_PER_BODY_BYTE;
    if (requests >= requestsMax || (bytesHeld > 0 && bytesHeld + bytes > bodyBytesHeldMax)) throw tooMuch();
    requests += 1;
    bytesHeld += bytes;
    held.set(request, bytes);
  });

  const giveBack = (request: FastifyRequest) => {
    const bytes = held.get(request);
    if (bytes === undefined) return;
    held.delete(request);
    requests -= 1;
    bytesHeld -= bytes;
  };
  app.addHook('onResponse', async (request) => giveBack(request));
  app.addHook('onRequestAbort', async (request) => giveBack(request));

  return {
    charge(request, values) {
      const bytes = values * BYTES_PER_VALUE;
      const own = held.get(request);
      if (own === undefined) return;
      // One that is alone is let through, as above: else it would never be.
      if (bytesHeld > own && bytesHeld + bytes > bodyBytesHeldMax) throw tooMuch();
      bytesHeld += bytes;
      held.set(request, own + bytes);
    },
  };
}

/** A body that does not say how long it is may be as long as its route allows. */
function bodyBytesOf({ headers, routeOptions }: FastifyRequest): number {
  const length = headers['content-length'];
  if (length !== undefined) return Number(length);
  return headers['transfer-encoding'] === undefined ? 0 : routeOptions.bodyLimit;
}

function tooMuch(): ProblemError {
  return new ProblemError(503, 'Too much at once. Try again.', {
    headers: { 'retry-after': '1', connection: 'close' },
  });
}

/**
 * A call refuses what it does not know: a query parameter that its schema lacks, and a body if it takes none. Whoever
 * sends {"messageId": …} to a call that acts on a whole campaign meant less than the call would do. Unknown fields of
 * bodies and queries that have a schema are refused by the schema.
 */
import type { FieldError } from '@hookfleet/contract';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isBelowV1 } from './below-v1.ts';
import { invalidInput } from './problems.ts';

interface InputSchemas {
  readonly querystring?: { readonly properties?: Readonly<Record<string, unknown>> };
  readonly body?: unknown;
}

export function refuseUnknownInput(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    const { routeOptions } = request;
    if (routeOptions.url === undefined || !isBelowV1(request)) return;
    const { querystring, body } = (routeOptions.schema ?? {}) as InputSchemas;
    const errors = [
      ...unknownParameters(request, querystring?.properties ?? {}),
      ...(body === undefined ? unknownBody(request) : []),
    ];
    if (errors.length > 0) throw invalidInput(errors);
  });
}

function unknownParameters(
  { query }: FastifyRequest,
  known: Readonly<Record<string, unknown>>,
): FieldError[] {
  return Object.keys(query as object)
    .filter((name) => !Object.hasOwn(known, name))
    .map((field) => ({ field, type: 'UNKNOWN_FIELD', detail: 'is not a parameter of this call' }));
}

/** {} says nothing, and some clients send it with every POST. */
function unknownBody({ body, raw }: FastifyRequest): FieldError[] {
  const detail = 'is not known to this call, which takes no body';
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return Object.keys(body).map((field) => ({ field, type: 'UNKNOWN_FIELD', detail }));
  // fastify does not read the body of a GET.
  const isUnread =
    raw.headers['transfer-encoding'] !== undefined || Number(raw.headers['content-length'] ?? 0) > 0;
  const isNone = body === undefined && (!isUnread || raw.complete);
  return isNone ? [] : [{ field: 'body', type: 'UNKNOWN_FIELD', detail }];
}

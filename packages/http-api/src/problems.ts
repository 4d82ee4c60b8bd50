/**
 * Errors as callers see them: RFC 9457 problem details for everything that goes wrong, from a malformed URL to a
 * Redis that is away. What isn't the caller's fault is logged with its cause and told without it.
 */
import { ERRORS_MAX, type FieldError, type Problem, toFieldErrors } from '@hookfleet/contract';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** Thrown by a route: becomes the answer. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly statusCode: number;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    statusCode: number,
    detail: string,
    { errors = [], headers = {} }: { errors?: readonly FieldError[]; headers?: Record<string, string> } = {},
  ) {
    super(detail);
    this.statusCode = statusCode;
    this.errors = errors;
    this.headers = headers;
  }
}

/** The caller's input, with every field at fault. */
export function invalidInput(
  errors: readonly FieldError[],
  detail = 'Some fields are at fault.',
): ProblemError {
  return new ProblemError(400, detail, { errors });
}

/** A body that was not read to its end: which of its fields is too long is not known. */
export function bodyTooLarge(detail: string): ProblemError {
  return new ProblemError(413, detail, { errors: [tooLarge(detail)] });
}

function tooLarge(detail: string): FieldError {
  return { field: '', type: 'TOO_LONG', detail };
}

/** Ours, and it may work in a moment: the same call may be made again. */
export function unavailable(detail: string): ProblemError {
  return new ProblemError(503, detail, { headers: { 'retry-after': '1' } });
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

export function toProblem(status: number, detail: string, errors: readonly FieldError[] = []): Problem {
  return {
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    detail,
    ...(errors.length > 0 && { errors: errors.slice(0, ERRORS_MAX) }),
  };
}

export function addProblemReplies(app: FastifyInstance, isUnavailable: (error: Error) => boolean): void {
  app.setNotFoundHandler((request, reply) => send(reply, 404, notFound(request)));
  app.setErrorHandler((error: FastifyError | ProblemError, request, reply) => {
    if (error instanceof ProblemError) {
      reply.headers(error.headers);
      return send(reply, error.statusCode, error.message, error.errors);
    }
    if (error.validation !== undefined) {
      return send(reply, 400, 'Some fields are at fault.', toFieldErrors(error.validation as never));
    }
    if (isUnavailable(error)) {
      request.log.warn({ err: error, durationMs: Math.round(reply.elapsedTime) }, 'request.unavailable');
      reply.header('retry-after', '1');
      return send(reply, 503, 'Redis is away or refuses writes; nothing is known to be kept. Try again.');
    }
    const status = error.statusCode ?? 500;
    if (status === 413) return send(reply, status, error.message, [tooLarge(error.message)]);
    if (status < 500) return send(reply, status, error.message);
    request.log.error({ err: error }, 'request.failed');
    return send(reply, 500, 'The fault is ours, and it is logged.');
  });
}

function send(
  reply: FastifyReply,
  status: number,
  detail: string,
  errors: readonly FieldError[] = [],
): FastifyReply {
  return reply
    .code(status)
    .type(PROBLEM_CONTENT_TYPE)
    .send(JSON.stringify(toProblem(status, detail, errors)));
}

function notFound(request: FastifyRequest): string {
  return `${request.method} ${pathOf(request)} is no call of this API.`;
}

/** To be added after what asks who calls. A body of no call is not read. */
export function refuseUnknownCalls(app: FastifyInstance): void {
  app.addHook('onRequest', async (request) => {
    if (request.is404) throw new ProblemError(404, notFound(request));
  });
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}

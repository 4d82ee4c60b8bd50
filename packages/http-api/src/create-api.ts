/**
 * An HTTP API of ours before its routes: ajv of the contract as validator, problem details for errors, API keys on
 * /v1, OpenAPI 3.1 at /openapi.json with a page at /docs, health and metrics, limits on time and size.
 */
import type { RequestListener } from 'node:http';
import {
  addOpsRoutes,
  answerClientError,
  createBoundedServer,
  type Logger,
  type OpsOptions,
  PRIVATE_HEADERS,
  SECURITY_HEADERS,
} from '@hookfleet/runtime';
import type { Tracing } from '@hookfleet/tracing';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify';
import { addAccessHook } from './access-hook.ts';
import { isBelowV1 } from './below-v1.ts';
import { serializersOnFirstUse, validateOnFirstUse } from './compile-on-first-use.ts';
import { addDocsRoutes } from './docs-page.ts';
import { endConnections } from './end-connections.ts';
import { addJsonBodies, type OnJsonValues } from './json-bodies.ts';
import { describeRoutes } from './openapi-file.ts';
import { addProblemReplies, PROBLEM_CONTENT_TYPE, refuseUnknownCalls, toProblem } from './problems.ts';
import { refuseUnknownInput } from './refuse-unknown-input.ts';
import { addSessionRoutes } from './session-routes.ts';
import { createSessions, type SessionStore } from './sessions.ts';
import { addTraceHook } from './trace-hook.ts';
import { type BeginWait, waitUntilKept } from './wait-until-kept.ts';

export interface ApiOptions {
  readonly title: string;
  readonly description: string;
  /** Served at /openapi.json; a test holds it against the routes. */
  readonly openApiFile: URL;
  /** Collects the routes' schemas, from which that file is written. A process that serves needs none of it. */
  readonly isDescribed?: boolean;
  readonly logger: Logger;
  readonly apiKeys: readonly string[];
  readonly ops: OpsOptions;
  /** Of a body, unless a route says otherwise. */
  readonly bodyBytesMax: number;
  /** Connections at once; more are closed by the server. */
  readonly connectionsMax: number;
  /** Tells Redis' failures from ours: they are answered with 503. */
  readonly isUnavailable: (error: Error) => boolean;
  readonly onJsonValues?: OnJsonValues | undefined;
  /** For an API that serves a page that signs in: adds /v1/session, and takes its cookie for a key. */
  readonly sessions?: SessionStore | undefined;
  /** Waits until what a call has changed is kept. */
  readonly beginWait?: BeginWait | undefined;
  /** Calls are traced with it. */
  readonly tracing?: Tracing | undefined;
}

// A request that takes longer to arrive is cut off: slow senders must not hold memory.
const REQUEST_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const PATH_PARAMETER_LENGTH_MAX = 256;

export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const { title, description, logger, apiKeys, ops, bodyBytesMax, connectionsMax, isUnavailable } = options;
  const { openApiFile, isDescribed = false, beginWait, tracing } = options;
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyBytesMax,
    serverFactory: (handle) =>
      createBoundedServer(handle as RequestListener, {
        requestTimeoutMs: REQUEST_TIMEOUT_MS,
        keepAliveTimeoutMs: KEEP_ALIVE_TIMEOUT_MS,
        connectionsMax,
      }),
    routerOptions: { maxParamLength: PATH_PARAMETER_LENGTH_MAX },
    schemaController: {
      compilersFactory: { buildSerializer: serializersOnFirstUse({ atOnce: isDescribed }) },
    },
    return503OnClosing: true,
    forceCloseConnections: 'idle',
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => {
      const status = error.statusCode ?? 400;
      const untyped = reply as unknown as FastifyReply;
      void untyped
        .code(status)
        .type(PROBLEM_CONTENT_TYPE)
        .send(JSON.stringify(toProblem(status, error.message)));
    },
  });
  endConnections(app);
  validateOnFirstUse(app, { atOnce: isDescribed });
  addProblemReplies(app, isUnavailable);
  if (isDescribed) await describeRoutes(app, { title, description, signIn: options.sessions !== undefined });
  addDocsRoutes(app, { title, openApiFile });
  addOpsRoutes(app, ops);

  const sessions = options.sessions && createSessions(apiKeys, options.sessions);
  addAccessHook(app, { apiKeys, sessions, now: Date.now });
  refuseUnknownCalls(app);
  addJsonBodies(app, options.onJsonValues);
  refuseUnknownInput(app);
  if (beginWait !== undefined) waitUntilKept(app, beginWait);
  if (tracing !== undefined) addTraceHook(app, tracing);
  if (sessions !== undefined) addSessionRoutes(app, { sessions, needsKeys: apiKeys.length > 0 });
  app.addHook('onSend', async (request, reply) => {
    addMissing(reply, SECURITY_HEADERS);
    if (isBelowV1(request)) addMissing(reply, PRIVATE_HEADERS);
    // Answered before all of it was read: what is still to come would hold the connection, and our shutdown.
    if (!request.raw.complete) reply.header('connection', 'close');
  });
  return app;
}

function addMissing(reply: FastifyReply, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) if (!reply.hasHeader(name)) reply.header(name, value);
}

/** POST, GET and DELETE /v1/session: the page signs in with an API key, asks who it is, and signs out. */
import type { Caller } from '@hookfleet/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Sessions } from './sessions.ts';

const SessionView = Type.Object({
  role: Type.Enum(['read', 'operate']),
  needsKeys: Type.Boolean({ description: 'False where no API keys are configured: nobody has to sign in.' }),
});

export interface SessionRoutesOptions {
  readonly sessions: Sessions;
  readonly needsKeys: boolean;
  readonly callerOf: (request: FastifyRequest) => Caller;
}

export function addSessionRoutes(
  app: FastifyInstance,
  { sessions, needsKeys, callerOf }: SessionRoutesOptions,
): void {
  const view = (request: FastifyRequest) => ({
    role: callerOf(request).roles.includes('operate') ? 'operate' : 'read',
    needsKeys,
  });

  app.post(
    '/v1/session',
    {
      config: { needs: 'read' },
      schema: {
        summary:
          'Sign in: with a key as bearer token, the answer sets a cookie that stands for it for 12 hours',
        response: { 200: SessionView },
      },
    },
    async (request, reply) => {
      // Behind a proxy that ends TLS it is the proxy's word; a false one hurts nobody but the caller.
      const secure = request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https';
      return reply.header('set-cookie', sessions.issue(callerOf(request), { secure })).send(view(request));
    },
  );

  app.get(
    '/v1/session',
    { schema: { summary: 'What the caller may do', response: { 200: SessionView } } },
    async (request, reply) => reply.header('cache-control', 'no-store').send(view(request)),
  );

  app.delete(
    '/v1/session',
    { config: { needs: 'read' }, schema: { summary: 'Sign out', response: { 204: Type.Null() } } },
    async (_request, reply) => reply.header('set-cookie', sessions.end()).code(204).send(),
  );
}

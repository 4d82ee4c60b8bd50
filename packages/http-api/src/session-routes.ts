/** POST, GET and DELETE /v1/session: the page signs in with an API key, asks who it is, and signs out. */
import { bearerTokenOf } from '@hookfleet/runtime';
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
}

export function addSessionRoutes(app: FastifyInstance, { sessions, needsKeys }: SessionRoutesOptions): void {
  const view = (request: FastifyRequest) => ({
    role: request.caller().roles.includes('operate') ? 'operate' : 'read',
    needsKeys,
  });

  app.post(
    '/v1/session',
    {
      config: { needs: 'read' },
      schema: {
        summary:
          'Sign in: with a key as bearer token, the answer sets a cookie that stands for it for 12 hours, until a sign-out, or until the key is no more',
        response: { 200: SessionView },
      },
    },
    async (request, reply) => {
      // Behind a proxy that ends TLS it is the proxy's word; a false one hurts nobody but the caller.
      const secure = request.protocol === 'https' || request.headers['x-forwarded-proto'] === 'https';
      // Who has a session and no key keeps it as it is.
      const key = bearerTokenOf(request.headers.authorization);
      if (key !== undefined && needsKeys) reply.header('set-cookie', await sessions.issue(key, { secure }));
      return reply.send(view(request));
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
    async ({ headers }, reply) =>
      reply
        .header('set-cookie', await sessions.end(headers.cookie))
        .code(204)
        .send(),
  );
}

/** The OpenAPI description as a committed file: written by a command, and checked by a test against the routes. */
import { readFile, writeFile } from 'node:fs/promises';
// Its types alone: an API that serves doesn't load it.
import type {} from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { SESSION_COOKIE } from './sessions.ts';

/** Before the routes are added. `signIn`: the API takes a session's cookie for a key. */
export async function describeRoutes(
  app: FastifyInstance,
  { title, description, signIn }: { title: string; description: string; signIn: boolean },
): Promise<void> {
  const { default: swagger } = await import('@fastify/swagger');
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, description, version: '0.1.0' },
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer' },
          ...(signIn && { session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE } }),
        },
      },
      security: [{ apiKey: [] }, ...(signIn ? [{ session: [] }] : [])],
    },
  });
}

export async function openApiText(app: FastifyInstance): Promise<string> {
  await app.ready();
  return `${JSON.stringify(app.swagger(), null, 2)}\n`;
}

export async function writeOpenApiFile(app: FastifyInstance, file: URL): Promise<void> {
  await writeFile(file, await openApiText(app));
}

/** Undefined where the file is up to date; else the command that mends it. */
export async function openApiFileProblem(app: FastifyInstance, file: URL): Promise<string | undefined> {
  const [committed, current] = await Promise.all([readFile(file, 'utf8').catch(() => ''), openApiText(app)]);
  return committed === current ? undefined : 'openapi.json is out of date: run npx -y pnpm openapi';
}

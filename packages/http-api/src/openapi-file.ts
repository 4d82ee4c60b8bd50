/** The OpenAPI description as a committed file: written by a command, and checked by a test against the routes. */
import { readFile, writeFile } from 'node:fs/promises';
// Its types alone: an API that serves doesn't load it.
import type {} from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import type { ApiDocument } from './documentation/document-api.ts';
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

async function openApiText(app: FastifyInstance, document: ApiDocument): Promise<string> {
  await app.ready();
  const { documentApi } = await import('./documentation/document-api.ts');
  return `${JSON.stringify(documentApi(app.swagger(), document), null, 2)}\n`;
}

export async function writeOpenApiFile(
  app: FastifyInstance,
  file: URL,
  document: ApiDocument,
): Promise<void> {
  await writeFile(file, await openApiText(app, document));
}

/** Undefined where the file is up to date; else the command that mends it. */
export async function openApiFileProblem(
  app: FastifyInstance,
  file: URL,
  document: ApiDocument,
): Promise<string | undefined> {
  const [committed, current] = await Promise.all([
    readFile(file, 'utf8').catch(() => ''),
    openApiText(app, document),
  ]);
  return committed === current ? undefined : 'openapi.json is out of date: run npx -y pnpm openapi';
}

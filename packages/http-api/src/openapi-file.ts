/** The OpenAPI description as a committed file: written by a command, and checked by a test against the routes. */
import { readFile, writeFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';

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

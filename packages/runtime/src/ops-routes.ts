/**
 * What every process answers: /healthz (restart me where it fails), /readyz (send me no traffic where it fails) and
 * /metrics. Checks are named, bounded in time, and say why they fail.
 */
import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { SECURITY_HEADERS } from './security-headers.ts';

/** Undefined where all is well, else why not. */
export type Check = () => string | undefined | Promise<string | undefined>;

export interface OpsOptions {
  readonly registry: Registry;
  readonly healthy: Readonly<Record<string, Check>>;
  readonly ready: Readonly<Record<string, Check>>;
}

const CHECK_TIMEOUT_MS = 1_500;

export function addOpsRoutes(app: FastifyInstance, { registry, healthy, ready }: OpsOptions): void {
  const hidden = { schema: { hide: true } as object, logLevel: 'silent' } as const;
  for (const [path, checks] of [
    ['/healthz', healthy],
    ['/readyz', ready],
  ] as const) {
    app.get(path, hidden, async (_request, reply) => {
      const results = await runChecks(checks);
      const ok = Object.values(results).every((result) => result === 'ok');
      return reply
        .code(ok ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ status: ok ? 'ok' : 'unavailable', checks: results });
    });
  }
  app.get('/metrics', hidden, async (_request, reply) =>
    reply.header('content-type', registry.contentType).send(await registry.metrics()),
  );
}

/** A server with nothing but these routes: for processes that have no API of their own. */
export function createOpsServer(options: OpsOptions): FastifyInstance {
  const app = fastify({
    logger: false,
    requestTimeout: 10_000,
    connectionTimeout: 30_000,
    forceCloseConnections: true,
  });
  app.addHook('onSend', async (_request, reply) => void reply.headers(SECURITY_HEADERS));
  addOpsRoutes(app, options);
  return app;
}

/** Listens. Rejects with a message that names the variable to change. */
export async function listen(
  app: FastifyInstance,
  { host, port }: { host: string; port: number },
): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new Error(`PORT: ${port} is in use on ${host}; choose another`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new Error(`HOST: ${host} is no address of this machine`);
    if (code === 'EACCES') throw new Error(`PORT: this user may not listen on ${port}`);
    throw error;
  }
}

async function runChecks(checks: Readonly<Record<string, Check>>): Promise<Record<string, string>> {
  const entries = Object.entries(checks).map(
    async ([name, check]) => [name, (await runCheck(check)) ?? 'ok'] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function runCheck(check: Check): Promise<string | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve(`no answer within ${CHECK_TIMEOUT_MS} ms`), CHECK_TIMEOUT_MS);
  try {
    return await Promise.race([check(), late]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

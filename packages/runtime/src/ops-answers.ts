/**
 * What every process answers about itself: /healthz (restart it if this fails), /readyz (send it no traffic if this
 * fails) and /metrics. Checks are named, bounded in time, and say why they fail.
 */
import type { Registry } from 'prom-client';
import { VERSION } from './version.ts';

/** Undefined if all is well, else why not. */
export type Check = () => string | undefined | Promise<string | undefined>;

export interface OpsOptions {
  readonly registry: Registry;
  readonly healthy: Readonly<Record<string, Check>>;
  readonly ready: Readonly<Record<string, Check>>;
}

export interface OpsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const CHECK_TIMEOUT_MS = 1_500;

/** By path. */
export function opsAnswers({
  registry,
  healthy,
  ready,
}: OpsOptions): Readonly<Record<string, () => Promise<OpsAnswer>>> {
  return {
    '/healthz': () => answerChecks(healthy),
    '/readyz': () => answerChecks(ready),
    '/metrics': async () => ({
      status: 200,
      headers: { 'content-type': registry.contentType },
      body: await registry.metrics(),
    }),
  };
}

async function answerChecks(checks: OpsOptions['healthy']): Promise<OpsAnswer> {
  const entries = Object.entries(checks).map(
    async ([name, check]) => [name, (await runCheck(check)) ?? 'ok'] as const,
  );
  const results = Object.fromEntries(await Promise.all(entries));
  const isOk = Object.values(results).every((result) => result === 'ok');
  return {
    status: isOk ? 200 : 503,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: JSON.stringify({ status: isOk ? 'ok' : 'unavailable', version: VERSION, checks: results }),
  };
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

/**
 * Asks of each call below /v1 who makes it and whether it may (access.ts), holds back who guesses keys
 * (failed-sign-ins.ts), and tells of every call that operates: who, what, on what, and how it ended. That line is
 * written here for all routes, so that no route can do without.
 */
import { bearerTokenOf, type Caller, createApiKeyCheck, type Role } from '@hookfleet/runtime';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Access, decideAccess, isAskedOnLoopback, PAGE_HEADER } from './access.ts';
import { isBelowV1 } from './below-v1.ts';
import { createFailedSignIns } from './failed-sign-ins.ts';
import { ProblemError } from './problems.ts';
import type { Sessions } from './sessions.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key must be allowed that calls this route. Unless it is said: `read` to GET, `operate` for the rest. */
    needs?: Role;
  }

  interface FastifyRequest {
    /** Whose call it is, once it was let through. */
    caller(): Caller;
    /** For an answer that takes long: false once the session that it was asked with has ended. Rejects with Redis' error. */
    mayGoOn(): Promise<boolean>;
  }
}

// It names campaigns.
const METRICS_ROUTE = '/metrics';

export interface AccessHookOptions {
  readonly apiKeys: readonly string[];
  readonly sessions: Sessions | undefined;
  readonly now: () => number;
}

export function addAccessHook(app: FastifyInstance, { apiKeys, sessions, now }: AccessHookOptions): void {
  const callerOfKey = createApiKeyCheck(apiKeys);
  const signIns = createFailedSignIns(now);
  const needsKeys = apiKeys.length > 0;
  const accesses = new WeakMap<FastifyRequest, Access>();

  /** Only who comes with a key can fail: a page that is not signed in guesses nothing. */
  function checkKey({ headers, ip }: FastifyRequest): Caller | undefined {
    const caller = callerOfKey(headers.authorization);
    if (!needsKeys || bearerTokenOf(headers.authorization) === undefined) return caller;
    const blockedMs = signIns.blockedForMs(ip, caller?.fingerprint);
    if (blockedMs > 0) throw tooManyFailures(blockedMs);
    if (caller === undefined) signIns.failed(ip);
    return caller;
  }

  /** A wrong key is not made good by a session. */
  function isByKey({ headers }: FastifyRequest): boolean {
    return !needsKeys || bearerTokenOf(headers.authorization) !== undefined;
  }

  async function sessionOf(request: FastifyRequest): Promise<Caller | undefined> {
    return isByKey(request) ? undefined : sessions?.callerOf(request.headers.cookie);
  }

  app.decorateRequest('caller', function () {
    const access = accesses.get(this);
    if (access === undefined || !('caller' in access)) throw new Error('nobody was let through');
    return access.caller;
  });
  app.decorateRequest('mayGoOn', async function () {
    return isByKey(this) || (await sessionOf(this)) !== undefined;
  });

  app.addHook('onRequest', async (request) => {
    const { routeOptions, headers, method } = request;
    if (!needsKeys && routeOptions.url === METRICS_ROUTE && !isAskedOnLoopback(headers))
      throw refusalOf({ refused: 'host' }, false);
    if (!isBelowV1(request)) return;
    const keyCaller = checkKey(request);
    const access = decideAccess({
      method,
      headers,
      needsKeys,
      keyCaller,
      sessionCaller: await sessionOf(request),
      needs: routeOptions.config?.needs,
    });
    accesses.set(request, access);
    if ('refused' in access) throw refusalOf(access, bearerTokenOf(headers.authorization) !== undefined);
  });

  app.addHook('onResponse', async (request, { statusCode }) => {
    const access = accesses.get(request);
    if (access === undefined || !('caller' in access) || access.needs !== 'operate') return;
    const { method, routeOptions, params, ip } = request;
    // A call of no route operates on nothing.
    if (routeOptions.url === undefined) return;
    const facts = { by: access.caller.fingerprint, method, route: routeOptions.url, params, statusCode, ip };
    request.log.info(facts, 'operator.acted');
  });
}

function tooManyFailures(blockedMs: number): ProblemError {
  return new ProblemError(429, 'Too many wrong keys came from this address. Wait, and try again.', {
    headers: { 'retry-after': String(Math.ceil(blockedMs / 1_000)) },
  });
}

function refusalOf(access: Extract<Access, { refused: string }>, hasKey: boolean): ProblemError {
  switch (access.refused) {
    case 'unknown':
      return new ProblemError(
        401,
        hasKey
          ? 'The API key is not known: it is none of HOOKFLEET_API_KEYS.'
          : 'An API key is needed: Authorization: Bearer <key>.',
        // RFC 6750, 3.1.
        { headers: { 'www-authenticate': hasKey ? 'Bearer error="invalid_token"' : 'Bearer' } },
      );
    case 'role':
      return new ProblemError(
        403,
        `The call needs a key with the role ${access.needs}; this one ${has(access)}.`,
      );
    case 'foreign':
      return new ProblemError(403, 'The call comes from a page of another origin.');
    case 'pageHeader':
      return new ProblemError(403, `With a session, the call needs the header ${PAGE_HEADER}.`);
    case 'host':
      return new ProblemError(
        403,
        'Without HOOKFLEET_API_KEYS this process answers to names of loopback alone.',
      );
  }
}

function has({ caller }: { readonly caller: Caller }): string {
  return caller.roles.length === 1 ? `has ${caller.roles[0]} alone` : `has ${caller.roles.join(' and ')}`;
}

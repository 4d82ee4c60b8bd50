/**
 * Who may call what, over every call that the APIs describe: each role's key is let through where it may, and told which
 * role it lacks elsewhere; every call that operates leaves a line that says who, what and on what; and no answer is
 * without the headers that browsers heed.
 * Takes about 5 s.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { fingerprintOf } from '@hookfleet/runtime';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { type ProcessUnderTest, startApplication } from './fleet-under-test.ts';

jest.setTimeout(120_000);

const KEYS = { enqueue: 'key-of-an-upstream', read: 'key-of-a-viewer-01', operate: 'key-of-an-operator' };
const EVERYTHING = 'key-of-everything-';

type Role = keyof typeof KEYS;

const APPLICATIONS = ['producer', 'aggregator'] as const;

const MAY: Readonly<Record<Role, readonly Role[]>> = {
  enqueue: ['enqueue'],
  read: ['read'],
  operate: ['read', 'operate'],
};

interface Call {
  readonly method: string;
  readonly path: string;
  readonly needs: Role;
}

const ENQUEUES = ['POST /v1/webhooks', 'POST /v1/webhooks/bulk', 'POST /v1/events'];
// A viewer signs in and out.
const LOOKS = ['POST /v1/session', 'DELETE /v1/session'];

function callsOf(application: string): Call[] {
  const file = new URL(`../../${application}/openapi.json`, import.meta.url);
  const { paths } = JSON.parse(readFileSync(file, 'utf8')) as { paths: Record<string, object> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((name) => {
      const method = name.toUpperCase();
      const call = `${method} ${path}`;
      const needs = ENQUEUES.includes(call)
        ? 'enqueue'
        : method === 'GET' || LOOKS.includes(call)
          ? 'read'
          : 'operate';
      return { method, path: path.replaceAll(/\{\w+\}/g, 'any-name'), needs } as const;
    }),
  );
}

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let fleet: Record<(typeof APPLICATIONS)[number], ProcessUnderTest>;

beforeAll(async () => {
  redis = await startTestRedis();
  const entries = [...Object.entries(KEYS).map(([role, key]) => `${role}:${key}`), EVERYTHING];
  const environment = { HOOKFLEET_API_KEYS: entries.join() };
  const [producer, aggregator] = await Promise.all([
    startApplication('producer', redis.url, environment),
    startApplication('aggregator', redis.url, environment),
  ]);
  fleet = { producer, aggregator };
});

afterAll(async () => {
  await Promise.all(Object.values(fleet).map((process) => process.stop()));
  await redis.stop();
});

/** Without a body: what is let through is refused for that, or answered. A stream is not waited for. */
async function statusOf({ url }: ProcessUnderTest, { method, path }: Call, key: string | undefined) {
  const ending = new AbortController();
  const response = await fetch(url + path, {
    method,
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    signal: ending.signal,
  });
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  const body = isStream ? '' : await response.text();
  ending.abort();
  return { status: response.status, headers: response.headers, body };
}

describe.each(APPLICATIONS)('%s', (application) => {
  test('each key does what its role may, and is told the role that it lacks', async () => {
    const calls = callsOf(application);
    expect(calls.length).toBeGreaterThan(10);
    for (const call of calls) {
      const named = `${call.method} ${call.path}`;
      for (const role of Object.keys(KEYS) as Role[]) {
        const { status, body } = await statusOf(fleet[application], call, KEYS[role]);
        if (MAY[role].includes(call.needs)) expect([named, status]).not.toEqual([named, 403]);
        else {
          expect([named, role, status]).toEqual([named, role, 403]);
          expect(JSON.parse(body)).toMatchObject({
            status: 403,
            detail: expect.stringContaining(call.needs),
          });
        }
        expect(status).not.toBe(500);
      }
      expect((await statusOf(fleet[application], call, EVERYTHING)).status).not.toBe(403);
      expect((await statusOf(fleet[application], call, undefined)).status).toBe(401);
    }
  });

  test('every call that operates leaves a line: who, what, on what, and how it ended', async () => {
    const { logs } = fleet[application];
    const told = (by: string, call: Call) =>
      logs.filter(
        (log) =>
          log['msg'] === 'operator.acted' &&
          log['by'] === by &&
          log['method'] === call.method &&
          String(log['route']).replaceAll(/:\w+/g, 'any-name') === call.path,
      );
    const operates = callsOf(application).filter(({ needs }) => needs === 'operate');
    for (const call of operates) {
      const { status } = await statusOf(fleet[application], call, KEYS.operate);
      const line = await eventually(() => {
        const [last] = told(fingerprintOf(KEYS.operate), call).slice(-1);
        expect(last).toMatchObject({ statusCode: status, ip: '127.0.0.1' });
        return last;
      });
      expect(Object.values(line?.['params'] as object)).toEqual(['any-name']);
      // Who tried and may not is told too.
      await statusOf(fleet[application], call, KEYS.read);
      await eventually(() =>
        expect(told(fingerprintOf(KEYS.read), call).at(-1)).toMatchObject({ statusCode: 403 }),
      );
    }
    for (const key of [...Object.values(KEYS), EVERYTHING]) expect(JSON.stringify(logs)).not.toContain(key);
  });

  test('no answer is without the headers that browsers heed', async () => {
    const others = ['/', '/healthz', '/metrics', '/docs/', '/nothing', '/v1/nothing'];
    const calls = [
      ...callsOf(application),
      ...others.map((path): Call => ({ method: 'GET', path, needs: 'read' })),
    ];
    for (const call of calls) {
      for (const key of [undefined, EVERYTHING]) {
        const { headers } = await statusOf(fleet[application], call, key);
        expect(headers.get('x-content-type-options')).toBe('nosniff');
        expect(headers.get('x-frame-options')).toBe('DENY');
        expect(headers.get('content-security-policy')).toContain("default-src '");
        expect(headers.get('referrer-policy')).toBe('no-referrer');
        if (call.path.startsWith('/v1')) expect(headers.get('cache-control')).toBe('no-store');
      }
    }
  });
});

test('who guesses keys is held back, and who is known from the same address is not', async () => {
  const look: Call = { method: 'GET', path: '/v1/channels', needs: 'read' };
  expect((await statusOf(fleet.producer, look, KEYS.read)).status).toBe(200);
  const statuses: number[] = [];
  for (let i = 0; i < 50; i += 1)
    statuses.push((await statusOf(fleet.producer, look, `a-guessed-key-${i}`)).status);
  expect(new Set(statuses.slice(0, 20))).toEqual(new Set([401]));
  const { status, headers } = await statusOf(fleet.producer, look, 'a-guessed-key-more');
  expect([statuses.at(-1), status]).toEqual([429, 429]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await statusOf(fleet.producer, look, KEYS.read)).status).toBe(200);
  expect((await statusOf(fleet.producer, look, undefined)).status).toBe(401);
});

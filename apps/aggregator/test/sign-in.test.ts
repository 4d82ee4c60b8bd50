/** Who may call the aggregator what: keys, viewers' keys, and the sessions of the page. Takes about 2 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import type { FastifyInstance } from 'fastify';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

const OPERATOR = { authorization: 'Bearer a-key-of-an-operator' };
const VIEWER = { authorization: 'Bearer a-key-of-a-viewer' };
const PAGE = { 'x-hookfleet-page': '1' };

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let app: FastifyInstance;

beforeAll(async () => {
  redis = await startTestRedis();
  counting = setupCounting(redis.url);
  app = await setupApp(counting, { apiKeys: ['a-key-of-an-operator', 'read:a-key-of-a-viewer'] });
});

afterAll(async () => {
  await app.close();
  counting.close();
  await redis.stop();
});

async function signIn(key: Record<string, string>): Promise<Record<string, string>> {
  const response = await app.inject({ method: 'POST', url: '/v1/session', headers: key });
  expect(response.statusCode).toBe(200);
  return { cookie: String(response.headers['set-cookie']).split(';')[0] as string };
}

async function statusOf(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: string,
  headers: Record<string, string>,
) {
  return (await app.inject({ method, url, headers })).statusCode;
}

test('who signs in with a key may then do with a cookie what the key may', async () => {
  const [operator, viewer] = [await signIn(OPERATOR), await signIn(VIEWER)];
  for (const [cookie, role] of [
    [operator, 'operate'],
    [viewer, 'read'],
  ] as const)
    expect((await app.inject({ url: '/v1/session', headers: cookie })).json()).toEqual({
      role,
      needsKeys: true,
    });
  expect(await statusOf('GET', '/v1/campaigns', viewer)).toBe(200);
  expect(await statusOf('POST', '/v1/campaigns/any/pause', { ...viewer, ...PAGE })).toBe(403);
  expect(await statusOf('POST', '/v1/campaigns/any/pause', operator)).toBe(403);
  expect(await statusOf('POST', '/v1/campaigns/any/pause', { ...operator, ...PAGE })).toBe(200);
  expect(await statusOf('DELETE', '/v1/session', { ...viewer, ...PAGE })).toBe(204);
  expect(await statusOf('GET', '/v1/campaigns', viewer)).toBe(401);
});

test('another aggregator knows the session while its key is among its own, and a key that is wrong is not made good by one', async () => {
  const operator = await signIn(OPERATOR);
  const second = await setupApp(counting, { apiKeys: ['read:a-key-of-an-operator'] });
  const rolesThere = (await second.inject({ url: '/v1/session', headers: operator })).json();
  expect(rolesThere).toEqual({ role: 'read', needsKeys: true });
  await second.close();
  const wrong = { authorization: 'Bearer a-key-of-nobody-at-all' };
  expect(await statusOf('POST', '/v1/session', { ...operator, ...wrong })).toBe(401);
});

test('a wrong key does not sign in, and a cookie of another fleet is none', async () => {
  expect(await statusOf('POST', '/v1/session', { authorization: 'Bearer a-key-of-nobody' })).toBe(401);
  const other = await setupApp(counting, { apiKeys: ['a-key-of-another-fleet'] });
  const { cookie } = await signIn(OPERATOR);
  expect(
    (await other.inject({ url: '/v1/campaigns', headers: { cookie: cookie as string } })).statusCode,
  ).toBe(401);
  await other.close();
});

test.each([
  ['POST', '/v1/campaigns/any/pause'],
  ['POST', '/v1/campaigns/any/resume'],
  ['POST', '/v1/campaigns/any/cancel'],
  ['POST', '/v1/campaigns/any/replay'],
  ['PUT', '/v1/campaigns/any/controls'],
  ['POST', '/v1/webhooks/wh_any/replay'],
  ['POST', '/v1/channels/any/pause'],
  ['POST', '/v1/channels/any/resume'],
] as const)("a viewer's key is refused for %s %s, a foreign page's call too", async (method, url) => {
  const refused = await app.inject({ method, url, headers: VIEWER });
  expect(refused.statusCode).toBe(403);
  expect(refused.json()).toMatchObject({ status: 403, title: 'Forbidden' });
  expect(await statusOf(method, url, { ...OPERATOR, origin: 'https://evil.example' })).toBe(403);
  expect(await statusOf(method, url, {})).toBe(401);
});

test('the path may be written in any way: it needs a key', async () => {
  for (const url of ['/%761/campaigns', '/v%31/campaigns', '/v1/campaigns?a=/docs', '/v1/campaigns#/docs'])
    expect(await statusOf('GET', url, {})).toBe(401);
});

test('without keys nobody signs in, and names that are not loopback are refused', async () => {
  const open = await setupApp(counting);
  expect((await open.inject('/v1/session')).json()).toEqual({ role: 'operate', needsKeys: false });
  const rebound = await open.inject({ url: '/v1/campaigns', headers: { host: 'evil.example' } });
  expect(rebound.statusCode).toBe(403);
  expect((await open.inject({ url: '/metrics', headers: { host: 'evil.example' } })).statusCode).toBe(403);
  expect((await open.inject({ url: '/metrics', headers: { host: 'localhost:8081' } })).statusCode).toBe(200);
  for (const url of ['/v1/campaigns', '/v1/stream'])
    expect(
      (await open.inject({ url, headers: { host: 'localhost', 'sec-fetch-site': 'cross-site' } })).statusCode,
    ).toBe(403);
  await open.close();
});

/**
 * How the dashboard's files are served: compressed, cached by their names, under a strict policy; missing, they say so.
 * Takes about 2 s.
 */
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import type { FastifyInstance } from 'fastify';
import type { DashboardFile } from '../src/dashboard-files.ts';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

const SCRIPT = 'main-0123ABCD.js';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let app: FastifyInstance;

function fileOf(text: string, contentType: string): DashboardFile {
  const plain = Buffer.from(text);
  return { contentType, plain, br: brotliCompressSync(plain), gz: gzipSync(plain) };
}

beforeAll(async () => {
  redis = await startTestRedis();
  counting = setupCounting(redis.url);
  const dashboard = new Map([
    ['index.html', fileOf('<!doctype html>', 'text/html; charset=utf-8')],
    [SCRIPT, fileOf('let page', 'text/javascript; charset=utf-8')],
    ['icon.svg', fileOf('<svg/>', 'image/svg+xml')],
  ]);
  app = await setupApp(counting, {
    apiKeys: ['a-key-of-an-operator'],
    loadDashboard: () => Promise.resolve(dashboard),
  });
});

afterAll(async () => {
  await app.close();
  counting.close();
  await redis.stop();
});

test('the page needs no key, may load nothing but its own files, and be framed by nobody', async () => {
  const response = await app.inject('/');
  expect(response.statusCode).toBe(200);
  expect(response.headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
  const policy = String(response.headers['content-security-policy']).split('; ');
  expect(policy).toEqual(expect.arrayContaining(["default-src 'none'", "frame-ancestors 'none'"]));
  // An image within a style runs and loads nothing.
  const ofOurs = /^[a-z-]+ '(?:none|self)'$|^img-src 'self' data:$/;
  expect(policy.filter((directive) => !ofOurs.test(directive))).toEqual([]);
});

test.each([
  ['br', 'gzip, deflate, br'],
  ['gzip', 'gzip'],
  [undefined, ''],
])('what can be taken compressed is sent as %s', async (encoding, accepted) => {
  const response = await app.inject({
    url: `/assets/${SCRIPT}`,
    headers: { 'accept-encoding': accepted },
  });
  expect(response.headers['content-encoding']).toBe(encoding);
  expect(response.headers['vary']).toBe('accept-encoding');
});

test('a file whose name holds its digest is kept for good, another asked for again', async () => {
  const cacheOf = async (name: string) => (await app.inject(`/assets/${name}`)).headers['cache-control'];
  expect(await cacheOf(SCRIPT)).toContain('immutable');
  expect(await cacheOf('icon.svg')).toBe('no-cache');
});

test.each(['other.js', '..%2f..%2fpackage.json', '__proto__'])('/assets/%s is a 404', async (name) => {
  expect((await app.inject(`/assets/${name}`)).statusCode).toBe(404);
});

test('where the page can not be built it is a 503, and the API works', async () => {
  const without = await setupApp(counting, {
    loadDashboard: () => Promise.reject(new Error('no esbuild here')),
  });
  const response = await without.inject('/');
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ status: 503 });
  expect((await without.inject('/v1/campaigns')).statusCode).toBe(200);
  await without.close();
});

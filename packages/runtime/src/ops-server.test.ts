/** What a worker's port answers to a probe, a scraper and anybody else. Takes under a second. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { createOpsServer, type OpsServer } from './ops-server.ts';

let server: OpsServer;
let url: string;

beforeEach(async () => {
  server = createOpsServer({
    registry: new Registry(),
    healthy: { redis: () => undefined },
    ready: { redis: () => 'is away' },
  });
  url = await server.listen({ host: '127.0.0.1', port: 0 });
});

afterEach(() => server.close());

test.each([
  ['GET', '/healthz', 200, { status: 'ok', checks: { redis: 'ok' } }],
  ['GET', '/readyz', 503, { status: 'unavailable', checks: { redis: 'is away' } }],
  ['GET', '/v1/webhooks', 404, { status: 404, title: 'Not Found', detail: 'No route GET /v1/webhooks' }],
  ['POST', '/metrics', 404, { status: 404, title: 'Not Found', detail: 'No route POST /metrics' }],
  ['GET', '/constructor', 404, { status: 404, title: 'Not Found', detail: 'No route GET /constructor' }],
])('%s %s', async (method, path, status, body) => {
  const answer = await fetch(`${url}${path}`, { method });
  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject(body);
  expect(answer.headers.get('content-type')).toContain(
    status === 404 ? 'application/problem+json' : 'application/json',
  );
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('a HEAD has no body', async () => {
  const answer = await fetch(`${url}/healthz`, { method: 'HEAD' });
  expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(0);
  expect(await answer.text()).toBe('');
});

test.each([
  ['what is no HTTP', 400, 'hello\r\n\r\n'],
  ['a header that is too long', 431, `GET / HTTP/1.1\r\nhost: x\r\na: ${'a'.repeat(20_000)}\r\n\r\n`],
])('%s gets %d as problem+json, and its connection ends', async (_what, status, request) => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(request);
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head).toContain('content-type: application/problem+json');
  expect(JSON.parse(body)).toMatchObject({ type: 'about:blank', status });
});

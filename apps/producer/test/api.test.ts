/** What every HTTP API of ours does: keys, description, metrics, and answers to unknown calls. Takes about 2 s. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openApiFileProblem } from '@hookfleet/http-api';
import { parsePrometheus, sampleValue, startTestRedis } from '@hookfleet/testkit';
import { API_DOCUMENT } from '../src/api-document.ts';
import { OPENAPI_FILE } from '../src/app.ts';
import { buildAppForDescription } from '../src/openapi.ts';
import { type ProducerUnderTest, setupProducer, webhook } from './setup-producer.ts';

const KEYS = ['first-key-of-the-fleet', 'second-key-of-the-fleet'];

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  producer = await setupProducer(redis.url, { apiKeys: KEYS });
});

afterAll(async () => {
  await producer.close();
  await redis.stop();
});

test('each key opens /v1, and nothing else does', async () => {
  for (const key of KEYS) {
    const { status } = await producer.call('POST', '/v1/webhooks', webhook(), {
      authorization: `Bearer ${key}`,
    });
    expect(status).toBe(202);
  }
  const [first = ''] = KEYS;
  for (const authorization of [
    '',
    'Bearer',
    `Bearer ${first}x`,
    `Bearer ${first.slice(1)}`,
    first,
    `Basic ${first}`,
  ]) {
    const answer = await producer.call('POST', '/v1/webhooks', webhook(), { authorization });
    expect(answer.status).toBe(401);
    const hasKey = /^Bearer ./.test(authorization);
    expect(answer.headers.get('www-authenticate')).toBe(hasKey ? 'Bearer error="invalid_token"' : 'Bearer');
    expect(answer.json).toMatchObject({
      detail: expect.stringMatching(hasKey ? /^The API key is not known/ : /^An API key is needed/),
    });
  }
  for (const path of ['/v1/channels', '/v1//channels', '/v1/webhooks/x'])
    expect((await producer.call('GET', path)).status).toBe(401);
});

test('health, metrics and the description are open', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs'])
    expect((await producer.call('GET', path)).status).toBe(200);
});

test('the page at /docs finds all that it asks for, and may run no script but these', async () => {
  const page = await fetch(`${producer.url}/docs`);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self';");
  const asked = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name ?? '');
  expect(asked).toContain('start.js');
  const start = await (await fetch(new URL('start.js', page.url))).text();
  const description = /url: '([^']+)'/.exec(start)?.[1] ?? '';
  for (const name of [...asked, description])
    expect([name, (await fetch(new URL(name, page.url), { method: 'HEAD' })).status]).toEqual([name, 200]);
});

test('/metrics counts the webhooks that were accepted, and the time of requests by route', async () => {
  const own = await setupProducer(redis.url, { prefix: 'metrics' });
  await own.call('POST', '/v1/webhooks/bulk', { webhooks: [webhook(), webhook(), webhook()] });
  await own.call('POST', '/v1/webhooks', webhook({ campaignId: undefined }));
  const id = (await own.call('POST', '/v1/webhooks', webhook())).json.id;
  await own.call('GET', `/v1/webhooks/${id}`);
  const families = parsePrometheus((await own.call('GET', '/metrics')).json);
  expect(sampleValue(families, 'hookfleet_webhooks_enqueued_total')).toBe(4);
  const seconds = 'hookfleet_http_request_duration_seconds_count';
  expect(sampleValue(families, seconds, { route: '/v1/webhooks', status: '400' })).toBe(1);
  expect(sampleValue(families, seconds, { route: '/v1/webhooks/:id', status: '200' })).toBe(1);
  await own.close();
});

test('a path or method that the API lacks is a 404 that says so', async () => {
  const authorization = { authorization: `Bearer ${KEYS[0]}` };
  for (const [method, path] of [
    ['GET', '/v1/nothing'],
    ['DELETE', '/v1/webhooks'],
    ['PUT', '/'],
  ] as const) {
    const { status, json } = await producer.call(method, path, undefined, authorization);
    expect(status).toBe(404);
    expect(json.detail).toContain(path);
  }
});

test.each([
  ['no HTTP at all', 'hello\r\n\r\n', 400],
  [
    'both Content-Length and chunks',
    'POST /v1/webhooks HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['headers without end', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`, 431],
])('%s gets %3$d and the connection is closed', async (_, bytes, status) => {
  const { port } = new URL(producer.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(bytes);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  expect(answer).toContain(`HTTP/1.1 ${status}`);
  expect(answer).toContain('application/problem+json');
});

test('openapi.json is up to date', async () => {
  const described = await buildAppForDescription();
  expect(await openApiFileProblem(described, OPENAPI_FILE, API_DOCUMENT)).toBeUndefined();
  await described.close();
});

/**
 * The sixth promise's other half: secrets show in no log, metric or API answer, of no process, at no log level, whatever
 * becomes of the webhooks. And the test of a channel through the real producer and worker.
 * Takes about 5 s.
 */
import { Authentication } from '@hookfleet/contract';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import {
  createAuthority,
  eventually,
  type Receiver,
  startReceiver,
  startTestRedis,
} from '@hookfleet/testkit';
import { accepted, enqueue, type ProcessUnderTest, startApplication, totalsOf } from './fleet-under-test.ts';

jest.setTimeout(120_000);

// Of a form that is part of nothing else.
const PLANTED = 'planted-5ecret';
const ENCODED = Buffer.from(`user:${PLANTED}`).toString('base64');

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let tokenServer: Receiver;
let producer: ProcessUnderTest;
let worker: ProcessUnderTest;
let aggregator: ProcessUnderTest;
const answers: string[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  receiver = await startReceiver(({ path }) => ({ status: path.startsWith('/failing') ? 500 : 200 }));
  tokenServer = await startReceiver(({ path }) =>
    path === '/token'
      ? { status: 200, body: JSON.stringify({ access_token: `${PLANTED}-token`, expires_in: 60 }) }
      : { status: 401, body: '{"error":"invalid_client"}' },
  );
  const environment = { LOG_LEVEL: 'trace' };
  [producer, worker, aggregator] = await Promise.all([
    startApplication('producer', redis.url, environment),
    startApplication('worker', redis.url, {
      ...environment,
      HTTPS_PROXY: `http://user:${PLANTED}@127.0.0.1:1`,
      NO_PROXY: 'direct.test',
    }),
    startApplication('aggregator', redis.url, environment),
  ]);
});

afterAll(async () => {
  await Promise.all([producer.stop(), worker.stop(), aggregator.stop()]);
  await receiver.close();
  await tokenServer.close();
  await redis.stop();
});

async function call(method: string, path: string, body?: unknown, { url } = producer) {
  const response = await fetch(url + path, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const text = await response.text();
  answers.push(text);
  // biome-ignore lint/suspicious/noExplicitAny: an answer is what the test claims it to be.
  return { status: response.status, json: JSON.parse(text) as any };
}

const oauth = (path: string) => ({
  type: 'oauth2',
  tokenUrl: `${tokenServer.url}${path}`,
  clientId: 'fleet',
  clientSecret: PLANTED,
});

test('a test through the producer is made by a worker, and counted nowhere', async () => {
  await call('PUT', '/v1/channels/crm', { url: `${receiver.url}/hook`, auth: oauth('/token') });
  const { status, json } = await call('POST', '/v1/channels/crm/test');
  expect(status).toBe(200);
  expect(json).toMatchObject({
    request: { method: 'POST', url: `${receiver.url}/hook`, headers: { authorization: '***' } },
    response: { statusCode: 200 },
    outcome: { event: 'webhook.delivered' },
    workerId: expect.stringContaining(':'),
  });
  expect(JSON.parse(json.request.body)).toMatchObject({ test: true, channelConfigId: 'crm' });
  expect(receiver.ledger.at(-1)?.request.headers.authorization).toBe(`Bearer ${PLANTED}-token`);
  const own = await call('POST', '/v1/channels/crm/test', { body: '<a/>', contentType: 'application/xml' });
  expect(own.json.request).toMatchObject({ body: '<a/>', headers: { 'content-type': 'application/xml' } });
  const { json: list } = await call('GET', '/v1/campaigns', undefined, aggregator);
  expect(list.campaigns).toEqual([]);
});

test('secrets of every kind are used, and shown nowhere', async () => {
  const acme = await (await createAuthority('ours')).issue('acme');
  const signingSecret = `whsec_${Buffer.from(PLANTED.repeat(2)).toString('base64')}`;
  const common = {
    headers: { 'x-api-key': PLANTED, cookie: PLANTED },
    signingSecrets: [{ secret: signingSecret, expiresAt: '2099-01-01T00:00:00Z' }],
    tls: acme,
    retry: { delaysMs: [10], jitter: 0 },
  };
  const inUrl = (path: string) =>
    `${receiver.url.replace('://', `://user:${PLANTED}@`)}${path}?token=${PLANTED}`;
  const destinations = [
    { url: inUrl('/failing') },
    { url: inUrl('/hook') },
    { url: inUrl('/failing'), auth: { type: 'basic', username: 'user', password: PLANTED } },
    { url: inUrl('/failing'), auth: { type: 'bearer', token: PLANTED } },
    { url: inUrl('/failing'), auth: { type: 'header', name: 'x-own', value: PLANTED } },
    { url: inUrl('/failing'), auth: oauth('/token') },
    { url: inUrl('/hook'), auth: oauth('/refuses') },
    { url: `https://user:${PLANTED}@receiver.test/?token=${PLANTED}` },
    { url: `http://user:${PLANTED}@169.254.169.254/?token=${PLANTED}` },
  ];
  // A kind of authentication that comes anew belongs among them.
  const { oneOf } = Authentication as unknown as { oneOf: { properties: { type: { const: string } } }[] };
  const kinds = oneOf.map(({ properties }) => properties.type.const);
  expect(new Set(destinations.flatMap(({ auth }) => auth?.type ?? []))).toEqual(new Set(kinds));
  const webhooks = await Promise.all(
    destinations.map(async (destination, i) => {
      const channel = { ...common, ...destination };
      await call('PUT', `/v1/channels/c${i}`, channel);
      await call('GET', `/v1/channels/c${i}`);
      await call('POST', `/v1/channels/c${i}/test`);
      return [
        { campaignId: 'planted', messageId: `${i}`, channelConfigId: `c${i}`, payload: {} },
        { campaignId: 'planted', messageId: `${i}`, destination: channel, payload: {} },
      ];
    }),
  );
  await call('GET', '/v1/channels');
  const ids = await accepted(await enqueue(producer, webhooks.flat()));
  await eventually(async () =>
    expect((await totalsOf(aggregator, 'planted')).messages).toMatchObject({ delivered: 2, failed: 16 }),
  );
  for (const id of ids) await call('GET', `/v1/webhooks/${id}`);
  await call('GET', '/v1/campaigns/planted/failures', undefined, aggregator);
  // A refusal tells what is wrong, and not the value.
  await call('PUT', '/v1/channels/wrong', {
    ...common,
    url: inUrl('/'),
    auth: { type: 'digest', token: PLANTED },
  });

  const seen = receiver.ledger.map(({ request }) => JSON.stringify([request.path, request.headers])).join();
  expect(seen).toContain(PLANTED);
  expect(seen).toContain(ENCODED);
  const told = [producer, worker, aggregator].map(({ logs }) => JSON.stringify(logs));
  const metrics = await Promise.all(
    [producer, worker, aggregator].map(async ({ url }) => (await fetch(`${url}/metrics`)).text()),
  );
  const keyLine = acme.key.split('\n')[1] ?? '';
  for (const text of [...answers, ...told, ...metrics])
    for (const secret of [PLANTED, ENCODED, signingSecret, keyLine]) expect(text).not.toContain(secret);
  expect(told.join()).toContain('attempt.recorded');
});

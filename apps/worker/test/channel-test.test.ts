/** A channel's test as a worker makes it: seen by whoever asked, counted by nobody. Takes about 2 s. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  type Channels,
  type ChannelTestsOut,
  createSecretBox,
  disconnectRedis,
  openChannels,
  openChannelTestsIn,
  openChannelTestsOut,
  openCircuits,
  laneOf,
  type RedisConnection,
} from '@hookfleet/queue';
import { type Answer, eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import { createTestChannel } from '../src/test-channel.ts';
import { setupRequests } from './setup-requests.ts';
import { connect, startWorker, type WorkerUnderTest } from './setup.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let worker: WorkerUnderTest;
let connection: RedisConnection;
let channels: Channels;
let tests: ChannelTestsOut;
let receiver: Receiver;
let answer: Answer;

const PLANTED = 'planted-secret';

beforeAll(async () => {
  redis = await startTestRedis();
  receiver = await startReceiver(() => answer);
  connection = connect(redis.url);
  channels = openChannels({ connection, prefix: 'test', secrets: createSecretBox([]) });
  tests = openChannelTestsOut({ connection, prefix: 'test', shards: 1 });
  worker = await startWorker(redis.url);
});

beforeEach(() => {
  answer = { status: 200, headers: { 'x-seen': 'yes' }, body: 'thanks' };
});

afterAll(async () => {
  await worker.stop();
  await tests.close();
  disconnectRedis(connection);
  await receiver.close();
  await redis.stop();
  expect(worker.errors).toEqual([]);
});

const run = (channelConfigId: string, body = '{"a":1}', timeoutMs = 5_000) =>
  tests.run({ channelConfigId, body }, timeoutMs);

test('what was sent, what came back, and where the time went are told; nothing is counted', async () => {
  await channels.put('plain', {
    url: `${receiver.url}/hook?x=1`,
    method: 'PUT',
    headers: { 'X-Tenant': 'blue' },
  });
  const result = await run('plain');
  expect(result).toMatchObject({
    channelConfigId: 'plain',
    workerId: 'test',
    request: {
      method: 'PUT',
      url: `${receiver.url}/hook?x=1`,
      headers: { 'x-tenant': 'blue', 'content-type': 'application/json' },
      body: '{"a":1}',
    },
    response: { statusCode: 200, headers: { 'x-seen': 'yes' }, body: 'thanks' },
    timingsMs: { firstByte: expect.any(Number), total: expect.any(Number) },
    outcome: { event: 'webhook.delivered', retriable: false },
  });
  const seen = receiver.ledger.at(-1)?.request;
  expect(seen?.webhookId).toBe(result?.request.headers['webhook-id']);
  expect(worker.outcomes).toEqual([]);
  const keys = await connection.keys('*');
  expect(keys.filter((key) => /:(?:log|dead|results|attempts|circuits)(?!:meta)/.test(key))).toEqual([]);
  // Its job goes when it is completed, a moment after the result is there.
  await eventually(async () =>
    expect((await connection.keys('*')).filter((key) => key.includes('test_'))).toEqual([]),
  );
});

test('one attempt is made, whatever its outcome, and told as what it would count as', async () => {
  await channels.put('failing', { url: `${receiver.url}/failing` });
  answer = { status: 503, body: 'sorry' };
  const result = await run('failing');
  expect(result).toMatchObject({
    response: { statusCode: 503, body: 'sorry' },
    outcome: { event: 'webhook.bounced', reason: 'http_5xx', retriable: true },
  });
  expect(receiver.count(({ request }) => request.path === '/failing')).toBe(1);
});

test('no answer is told too: a refused connection, an address that is forbidden, a time-out', async () => {
  await channels.put('refused', { url: 'http://127.0.0.1:1/' });
  await channels.put('forbidden', { url: 'http://169.254.169.254/' });
  await channels.put('hangs', { url: `${receiver.url}/hangs`, timeoutMs: 200 });
  answer = 'hang';
  const results = await Promise.all(['refused', 'forbidden', 'hangs'].map((id) => run(id)));
  expect(results.map((result) => result?.outcome)).toEqual([
    {
      event: 'webhook.bounced',
      reason: 'connection',
      cause: 'refused',
      detail: 'connection refused: nothing listens on that port, or a firewall rejects it',
      retriable: true,
    },
    {
      event: 'webhook.error',
      reason: 'blocked',
      cause: 'address_blocked',
      detail: 'address 169.254.169.254 is not allowed by the egress policy (HOOKFLEET_EGRESS_ALLOW)',
      retriable: false,
    },
    {
      event: 'webhook.bounced',
      reason: 'timeout',
      cause: 'response_timeout',
      detail: 'no answer in time',
      retriable: true,
    },
  ]);
  for (const result of results) expect(result).not.toHaveProperty('response');
});

test('a channel that is paused can be tested: that is when one wants to', async () => {
  await channels.put('paused', { url: `${receiver.url}/paused` });
  const circuits = openCircuits({ connection, prefix: 'test' });
  await circuits.set(laneOf('paused', ''), { state: 'paused', sinceMs: Date.now(), why: 'operator' });
  expect((await run('paused'))?.outcome.event).toBe('webhook.delivered');
  await circuits.set(laneOf('paused', ''), undefined);
});

test.each([
  ['basic', { type: 'basic', username: 'user', password: PLANTED }],
  ['bearer', { type: 'bearer', token: PLANTED }],
  ['a header', { type: 'header', name: 'X-Own', value: PLANTED }],
] as const)('no secret of %s comes back, though the destination echoes all that it gets', async (_, auth) => {
  const encoded = Buffer.from(`user:${PLANTED}`).toString('base64');
  const secret = `whsec_${Buffer.from(PLANTED.repeat(2)).toString('base64')}`;
  await channels.put('secret', {
    url: `${receiver.url.replace('://', `://user:${PLANTED}@`)}/hook?token=${PLANTED}`,
    auth,
    headers: { 'x-api-key': PLANTED },
    signingSecrets: [secret],
  });
  answer = {
    status: 400,
    headers: { 'set-cookie': PLANTED, 'x-echo': PLANTED },
    body: auth.type === 'basic' ? `${PLANTED} ${encoded}` : PLANTED,
  };
  const result = await run('secret');
  const sent = receiver.ledger.at(-1)?.request;
  expect(JSON.stringify(sent?.headers)).toMatch(new RegExp(`${PLANTED}|${encoded}`));
  const shown = JSON.stringify(result);
  for (const hidden of [PLANTED, encoded, secret]) expect(shown).not.toContain(hidden);
  expect(result?.request.headers).toMatchObject({
    'x-api-key': '***',
    'webhook-signature': expect.any(String),
  });
});

test('a secret header, a query token, a signing secret and a part of a cookie come back masked', async () => {
  const signing = Buffer.from('signs-the-webhooks').toString('base64');
  await channels.put('echo', {
    url: `${receiver.url}/hook?token=in%2Fquery`,
    headers: { 'x-api-key': 'in-header', cookie: 'session=in-cookie' },
    signingSecrets: [`whsec_${signing}`],
  });
  answer = {
    status: 400,
    headers: { 'x-echo': 'key in-header', location: '/hook?token=in%2fquery' },
    body: JSON.stringify({ a: 'in-header', b: 'in/query', c: ['in%2Fquery', 'in-cookie'], d: signing }),
  };
  const response = (await run('echo'))?.response;
  expect(response?.headers).toMatchObject({ 'x-echo': 'key ***', location: '/hook?token=***' });
  expect(response?.body).toBe(JSON.stringify({ a: '***', b: '***', c: ['***', '***'], d: '***' }));
});

test('a job that comes twice, or too late, makes no attempt', async () => {
  await channels.put('once', { url: `${receiver.url}/once` });
  const requests = await setupRequests();
  const made = createTestChannel({
    tests: openChannelTestsIn({ connection, prefix: 'test' }),
    channels,
    request: (_id, webhook, destination) => requests.send(destination, webhook),
    workerId: 'test',
    now: Date.now,
  });
  const { signal } = new AbortController();
  const data = { id: 'twice', channelConfigId: 'once', body: '{}' };
  await connection.set('{test}:test:twice:wanted', '1');
  for (const one of [data, data, { ...data, id: 'late' }])
    expect(await made({ data: one, signal })).toBe('finished');
  expect(receiver.count(({ request }) => request.path === '/once')).toBe(1);
  // A worker that drains leaves it to another.
  expect(await made({ data: { ...data, id: 'drained' }, signal: AbortSignal.abort() })).toBe('released');
  await expect(made({ data: { ...data, body: 5 }, signal })).rejects.toThrow('not a test of a channel');
  requests.close();
});

test('a test that nobody waits for any more is not made', async () => {
  await worker.stop();
  await channels.put('late', { url: `${receiver.url}/late` });
  expect(await run('late', '{}', 100)).toBeUndefined();
  worker = await startWorker(redis.url);
  expect((await run('plain'))?.outcome.event).toBe('webhook.delivered');
  expect(receiver.count(({ request }) => request.path === '/late')).toBe(0);
});

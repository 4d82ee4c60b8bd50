/** Channels: created, replaced, read, listed, deleted; their secrets are written and never read back. Takes about 2 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createAuthority, startTestRedis } from '@hookfleet/testkit';
import { fieldsOf, type ProducerUnderTest, setupProducer, webhook } from './setup-producer.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  producer = await setupProducer(redis.url);
});

afterAll(async () => {
  await producer.close();
  await redis.stop();
});

const SECRET = Buffer.alloc(32, 'planted').toString('base64');
const CHANNEL = {
  url: 'https://example.com/hook',
  method: 'PUT',
  auth: { type: 'bearer', token: SECRET },
  signingSecrets: [`whsec_${SECRET}`],
  timeoutMs: 5_000,
  retry: { delaysMs: [100], jitter: 0 },
};

test('a channel is created, read without its secrets, replaced, listed and deleted', async () => {
  const created = await producer.call('PUT', '/v1/channels/crm', CHANNEL);
  expect(created.status).toBe(201);
  expect((await producer.call('PUT', '/v1/channels/crm', { ...CHANNEL, timeoutMs: 6_000 })).status).toBe(200);
  const read = await producer.call('GET', '/v1/channels/crm');
  expect(read.json).toMatchObject({
    channelConfigId: 'crm',
    url: CHANNEL.url,
    method: 'PUT',
    timeoutMs: 6_000,
  });
  const listed = await producer.call('GET', '/v1/channels');
  expect(listed.json.channels).toEqual([read.json]);
  for (const { json } of [created, read, listed]) expect(JSON.stringify(json)).not.toContain(SECRET);

  expect((await producer.call('DELETE', '/v1/channels/crm')).status).toBe(204);
  expect((await producer.call('DELETE', '/v1/channels/crm')).status).toBe(404);
  expect((await producer.call('GET', '/v1/channels/crm')).status).toBe(404);
  expect((await producer.call('GET', '/v1/channels')).json.channels).toEqual([]);
});

test('a channel keeps every way to authenticate, and shows none of its secrets', async () => {
  const authority = await createAuthority('ours');
  const acme = await authority.issue('acme');
  const hidden = [SECRET, encodeURIComponent(SECRET), acme.key, acme.key.split('\n')[1] ?? ''];
  const common = {
    url: `https://user:${encodeURIComponent(SECRET)}@example.com/hook?token=${encodeURIComponent(SECRET)}`,
    signingSecrets: [{ secret: `whsec_${SECRET}`, expiresAt: '2026-12-01T00:00:00Z' }],
    tls: acme,
  };
  const oauth = { type: 'oauth2', tokenUrl: 'https://id.example.com/', clientId: 'a', clientSecret: SECRET };
  for (const auth of [
    oauth,
    { type: 'basic', username: 'a', password: SECRET },
    { type: 'header', name: 'x-own', value: SECRET },
  ]) {
    const written = await producer.call('PUT', '/v1/channels/safe', { ...common, auth });
    const shown = [
      written,
      await producer.call('GET', '/v1/channels/safe'),
      await producer.call('GET', '/v1/channels'),
    ];
    for (const { status, json } of shown) {
      expect(status).toBeLessThan(300);
      for (const secret of hidden) expect(JSON.stringify(json)).not.toContain(secret);
    }
    expect(shown[1]?.json).toMatchObject({
      auth: { type: auth.type },
      tls: { certificate: acme.certificate },
    });
  }
  await producer.call('DELETE', '/v1/channels/safe');
});

test('a deleted channel takes no new webhooks, and one that comes back does', async () => {
  const send = () =>
    producer.call('POST', '/v1/webhooks', webhook({ destination: undefined, channelConfigId: 'brief' }));
  await producer.call('PUT', '/v1/channels/brief', CHANNEL);
  expect((await send()).status).toBe(202);
  await producer.call('DELETE', '/v1/channels/brief');
  const refused = await send();
  expect(refused.status).toBe(400);
  expect(fieldsOf(refused)).toEqual(['channelConfigId']);
  expect((await producer.call('PUT', '/v1/channels/brief', CHANNEL)).status).toBe(201);
  expect((await send()).status).toBe(202);
});

test('a channel is paused and resumed by hand, and says so; it takes webhooks all the while', async () => {
  await producer.call('PUT', '/v1/channels/held', CHANNEL);
  const paused = await producer.call('POST', '/v1/channels/held/pause');
  expect(paused.status).toBe(200);
  expect(paused.json.circuit).toMatchObject({ state: 'paused', why: 'operator' });
  expect((await producer.call('GET', '/v1/channels/held')).json).toEqual(paused.json);
  const sent = await producer.call(
    'POST',
    '/v1/webhooks',
    webhook({ destination: undefined, channelConfigId: 'held' }),
  );
  expect(sent.status).toBe(202);
  const resumed = await producer.call('POST', '/v1/channels/held/resume');
  expect(resumed.json.circuit).toEqual({ state: 'closed' });
  expect((await producer.call('GET', '/v1/channels/held')).json.circuit).toEqual({ state: 'closed' });
  for (const verb of ['pause', 'resume'])
    expect((await producer.call('POST', `/v1/channels/nowhere/${verb}`)).status).toBe(404);
});

test.each([
  ['no URL', {}, 'url'],
  ['an unknown field', { ...CHANNEL, colour: 'red' }, 'colour'],
  ['a wrong type', { ...CHANNEL, timeoutMs: 'long' }, 'timeoutMs'],
  ['a rate of nothing', { ...CHANNEL, rateLimit: { limit: 0, per: 'second' } }, 'rateLimit.limit'],
  ['a rate per hour', { ...CHANNEL, rateLimit: { limit: 5, per: 'hour' } }, 'rateLimit.per'],
  ['a rate without its unit', { ...CHANNEL, rateLimit: { limit: 5 } }, 'rateLimit.per'],
  ['a burst of nothing', { ...CHANNEL, rateLimit: { limit: 5, per: 'minute', burst: 0 } }, 'rateLimit.burst'],
  ['no attempt in flight allowed', { ...CHANNEL, concurrencyLimit: 0 }, 'concurrencyLimit'],
  ['batches by GET', { ...CHANNEL, method: 'GET', batch: { size: 50 } }, 'batch'],
  [
    'batches of forms',
    { ...CHANNEL, contentType: 'application/x-www-form-urlencoded', batch: { size: 50 } },
    'batch',
  ],
  ['batches without a size', { ...CHANNEL, batch: {} }, 'batch.size'],
  ['batches of 49', { ...CHANNEL, batch: { size: 49 } }, 'batch.size'],
  ['batches of 1,001', { ...CHANNEL, batch: { size: 1_001 } }, 'batch.size'],
  ['batches that do not wait', { ...CHANNEL, batch: { size: 50, maxWaitMs: 99 } }, 'batch.maxWaitMs'],
  [
    'batches that wait for days',
    { ...CHANNEL, batch: { size: 50, maxWaitMs: 3_600_001 } },
    'batch.maxWaitMs',
  ],
  ['a property that is an object', { ...CHANNEL, eventProperties: { a: {} } }, 'eventProperties.a'],
  ['an unknown authentication', { ...CHANNEL, auth: { type: 'digest' } }, 'auth.type'],
  ['no TLS in tls', { ...CHANNEL, tls: {} }, 'tls'],
  ['half an attempt in flight allowed', { ...CHANNEL, concurrencyLimit: 1.5 }, 'concurrencyLimit'],
])('a channel with %s is refused, and the field named', async (_, body, field) => {
  const answer = await producer.call('PUT', '/v1/channels/wrong', body);
  expect(answer.status).toBe(400);
  expect(fieldsOf(answer)).toEqual([field]);
});

test('a channel whose key is gone is listed, paused, replaced and deleted by a process without it', async () => {
  const prefix = 'unreadable';
  const withKey = await setupProducer(redis.url, {
    prefix,
    encryptionKeys: [Buffer.alloc(32, 1).toString('base64')],
  });
  const without = await setupProducer(redis.url, { prefix });
  for (const id of ['a', 'b']) await withKey.call('PUT', `/v1/channels/${id}`, CHANNEL);
  await withKey.call('PUT', '/v1/channels/plain', CHANNEL);
  await without.call('PUT', '/v1/channels/plain', CHANNEL);
  const unreadable = { channelConfigId: 'a', unreadable: true, circuit: { state: 'closed' } };
  expect((await without.call('GET', '/v1/channels/a')).json).toEqual(unreadable);
  const { json } = await without.call('GET', '/v1/channels');
  expect(json.channels).toMatchObject([
    unreadable,
    { channelConfigId: 'b', unreadable: true },
    { url: CHANNEL.url },
  ]);
  expect(await without.call('POST', '/v1/channels/a/test')).toMatchObject({ status: 409 });
  expect((await without.call('POST', '/v1/channels/a/pause')).json).toMatchObject({
    unreadable: true,
    circuit: { state: 'paused' },
  });
  // Some worker may have the key.
  expect(
    await without.call('POST', '/v1/webhooks', webhook({ channelConfigId: 'a', destination: undefined })),
  ).toMatchObject({
    status: 202,
  });
  expect((await without.call('PUT', '/v1/channels/a', CHANNEL)).status).toBe(200);
  expect((await without.call('GET', '/v1/channels/a')).json).toMatchObject({ url: CHANNEL.url });
  expect((await without.call('DELETE', '/v1/channels/b')).status).toBe(204);
  expect((await withKey.call('GET', '/v1/channels/b')).status).toBe(404);
  await Promise.all([withKey.close(), without.close()]);
});

test.each<[string, Record<string, unknown>, string[]]>([
  ['a bearer token', { auth: { type: 'bearer', token: SECRET } }, ['auth.token']],
  ['a password', { auth: { type: 'basic', username: 'u', password: SECRET } }, ['auth.password']],
  ['a header of auth', { auth: { type: 'header', name: 'x-key', value: SECRET } }, ['auth.value']],
  [
    'a client secret',
    {
      auth: {
        type: 'oauth2',
        tokenUrl: `https://id.example.com/?api_key=${SECRET}`,
        clientId: 'a',
        clientSecret: SECRET,
      },
    },
    ['auth.clientSecret', 'auth.tokenUrl'],
  ],
  ['headers', { headers: { 'x-api-key': SECRET, 'x-tenant': 'acme' } }, ['headers.x-api-key']],
  ['a URL', { url: `https://user:${encodeURIComponent(SECRET)}@example.com/hook` }, ['url']],
  ['a user in a URL', { url: `https://${encodeURIComponent(SECRET)}@example.com/hook` }, ['url']],
  ['a parameter', { url: `https://example.com/hook?token=${encodeURIComponent(SECRET)}` }, ['url']],
  ['a signing secret', { signingSecrets: [`whsec_${SECRET}`] }, ['signingSecrets[0]']],
])(
  'a channel with %s that is read and written back is refused, and keeps its secret',
  async (_, part, masked) => {
    const channel = { url: 'https://example.com/hook', ...part };
    await producer.call('PUT', '/v1/channels/readback', channel);
    const { channelConfigId, circuit, ...read } = (await producer.call('GET', '/v1/channels/readback')).json;
    expect({ channelConfigId, circuit }).toMatchObject({ channelConfigId: 'readback' });
    const back = await producer.call('PUT', '/v1/channels/readback', { ...read, timeoutMs: 1_000 });
    expect([back.status, fieldsOf(back).sort()]).toEqual([400, masked]);
    expect(JSON.stringify(await producer.connection.hgetall('{test}:channels'))).toContain(
      JSON.stringify(JSON.stringify(part[Object.keys(part)[0] as string])).slice(1, -1),
    );
    // An inline destination that was copied from it, too.
    const { batch: _batch, ...destination } = read;
    const inline = await producer.call('POST', '/v1/webhooks', webhook({ destination }));
    expect([inline.status, fieldsOf(inline).sort()]).toEqual([
      400,
      masked.map((field) => `destination.${field}`),
    ]);
  },
);

test('what only looks like a mask is a value like any other', async () => {
  const channel = {
    url: 'https://example.com/***?a=x***',
    auth: { type: 'bearer', token: '****' },
    headers: { 'x-stars': '*** of three' },
  };
  expect((await producer.call('PUT', '/v1/channels/stars', channel)).status).toBe(201);
});

/** The fifth promise: bad input gets a 4xx that names each field at fault, whatever it is. Takes about 6 s. */
import { createPrivateKey } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createAuthority, type Identity, startTestRedis } from '@hookfleet/testkit';
import fc from 'fast-check';
import { fieldsOf, type ProducerUnderTest, setupProducer, webhook } from './setup-producer.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  producer = await setupProducer(redis.url);
});

afterAll(async () => {
  // Nothing that was refused has reached the queue.
  await producer.close();
  await redis.stop();
});

const destination = (changes: Record<string, unknown>) => ({
  destination: { url: 'https://example.com/hook', ...changes },
});

const SIGNING_SECRET = `whsec_${Buffer.alloc(32).toString('base64')}`;
const OAUTH = {
  type: 'oauth2',
  tokenUrl: 'https://id.example.com/token',
  clientId: 'fleet',
  clientSecret: 'planted-secret',
};

const authority = await createAuthority('ours');
const [acme, globex] = (await Promise.all(['acme', 'globex'].map((name) => authority.issue(name)))) as [
  Identity,
  Identity,
];
const locked = createPrivateKey(acme.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString();

test.each<[string, Record<string, unknown>, string]>([
  ['no campaign', { campaignId: undefined }, 'campaignId'],
  ['an empty campaign', { campaignId: '' }, 'campaignId'],
  ['a campaign with a space', { campaignId: 'spring sale' }, 'campaignId'],
  ['a campaign with a line break', { campaignId: 'a\nb' }, 'campaignId'],
  ['a campaign with NUL', { campaignId: 'a\0b' }, 'campaignId'],
  ['a campaign with half a surrogate pair', { campaignId: 'a\ud800' }, 'campaignId'],
  ['a campaign of 129 characters', { campaignId: 'x'.repeat(129) }, 'campaignId'],
  ['a fractional campaign', { campaignId: 1.5 }, 'campaignId'],
  ['a negative campaign', { campaignId: -1 }, 'campaignId'],
  ['a message that is an object', { messageId: {} }, 'messageId'],
  ['neither channel nor destination', { destination: undefined }, 'channelConfigId'],
  ['both channel and destination', { channelConfigId: 'c' }, 'channelConfigId'],
  ['neither payload nor body', { payload: undefined }, 'payload'],
  ['both payload and body', { body: 'x', contentType: 'text/plain' }, 'payload'],
  ['a body without a content type', { payload: undefined, body: 'x' }, 'contentType'],
  ['a content type without a body', { contentType: 'text/plain' }, 'body'],
  [
    'a content type that injects a header',
    { payload: undefined, body: 'x', contentType: 'text/plain\r\nx: y' },
    'contentType',
  ],
  ['an unknown field', { campaign: 'x' }, 'campaign'],
  ['__proto__ as an own field', JSON.parse('{"__proto__": {"admin": true}}'), '__proto__'],
  ['an empty idempotency key', { idempotencyKey: '' }, 'idempotencyKey'],
  ['an idempotency key of 257 characters', { idempotencyKey: 'k'.repeat(257) }, 'idempotencyKey'],
  ['a time that is none', { deliverAt: 'tomorrow' }, 'deliverAt'],
  ['a time without an offset', { deliverAt: '2026-11-23T10:00:00' }, 'deliverAt'],
  ['a time that no calendar has', { deliverAt: '2026-02-30T10:00:00Z' }, 'deliverAt'],
  [
    'a time in two years',
    { deliverAt: new Date(Date.now() + 2 * 366 * 86_400_000).toISOString() },
    'deliverAt',
  ],
  ['a URL of another scheme', destination({ url: 'file:///etc/passwd' }), 'destination.url'],
  ['a URL with a fragment', destination({ url: 'https://example.com/#x' }), 'destination.url'],
  ['a URL with a line break', destination({ url: 'https://example.com/\r\nx' }), 'destination.url'],
  ['a relative URL', destination({ url: '/hook' }), 'destination.url'],
  ['an unknown method', destination({ method: 'TRACE' }), 'destination.method'],
  [
    'a header that splits the request',
    destination({ headers: { 'x-a': 'b\r\nhost: evil' } }),
    'destination.headers.x-a',
  ],
  [
    'a Content-Length of its own',
    destination({ headers: { 'Content-Length': '0' } }),
    'destination.headers.Content-Length',
  ],
  [
    'a Transfer-Encoding of its own',
    destination({ headers: { 'transfer-encoding': 'chunked' } }),
    'destination.headers.transfer-encoding',
  ],
  [
    'a signature of its own',
    destination({ headers: { 'WEBHOOK-SIGNATURE': 'v1,x' } }),
    'destination.headers.WEBHOOK-SIGNATURE',
  ],
  ['a header with a space', destination({ headers: { 'x a': 'b' } }), 'destination.headers.x a'],
  [
    'a secret that is too short',
    destination({ signingSecrets: ['whsec_c2hvcnQ='] }),
    'destination.signingSecrets[0]',
  ],
  ['a time-out of an hour', destination({ timeoutMs: 3_600_000 }), 'destination.timeoutMs'],
  [
    'a header that authenticates and is ours',
    destination({ auth: { type: 'header', name: 'Webhook-Id', value: 'x' } }),
    'destination.auth.name',
  ],
  [
    'a header that authenticates without a value',
    destination({ auth: { type: 'header', name: 'x-key' } }),
    'destination.auth.value',
  ],
  ['an unknown authentication', destination({ auth: { type: 'digest' } }), 'destination.auth.type'],
  ['an authentication of no type', destination({ auth: { token: 'x' } }), 'destination.auth.type'],
  [
    'a token URL that is none',
    destination({ auth: { ...OAUTH, tokenUrl: 'token' } }),
    'destination.auth.tokenUrl',
  ],
  [
    'a token URL with a password',
    destination({ auth: { ...OAUTH, tokenUrl: 'https://a:b@id.example.com/' } }),
    'destination.auth.tokenUrl',
  ],
  [
    'OAuth without its client secret',
    destination({ auth: { ...OAUTH, clientSecret: undefined } }),
    'destination.auth.clientSecret',
  ],
  [
    'OAuth with an empty client',
    destination({ auth: { ...OAUTH, clientId: '' } }),
    'destination.auth.clientId',
  ],
  ['a scope with a line break', destination({ auth: { ...OAUTH, scope: 'a\nb' } }), 'destination.auth.scope'],
  [
    'an audience that is no text',
    destination({ auth: { ...OAUTH, audience: 5 } }),
    'destination.auth.audience',
  ],
  [
    'a client authentication that is unknown',
    destination({ auth: { ...OAUTH, clientAuthentication: 'jwt' } }),
    'destination.auth.clientAuthentication',
  ],
  [
    'another field of OAuth',
    destination({ auth: { ...OAUTH, grantType: 'password' } }),
    'destination.auth.grantType',
  ],
  ['a payload that is no text, as XML', destination({ contentType: 'application/xml' }), 'payload'],
  [
    'a content type that payloads have none of',
    destination({ contentType: 'text/csv' }),
    'destination.contentType',
  ],
  [
    'a body for GET',
    { ...destination({ method: 'GET' }), payload: undefined, body: 'x', contentType: 'text/plain' },
    'body',
  ],
  [
    'both payload and body for DELETE',
    { ...destination({ method: 'DELETE' }), body: 'x', contentType: 'text/plain' },
    'payload',
  ],
  [
    'event properties that are no object',
    destination({ eventProperties: [1] }),
    'destination.eventProperties',
  ],
  [
    'an event property that is an object',
    destination({ eventProperties: { region: {} } }),
    'destination.eventProperties.region',
  ],
  [
    'an event property of 129 characters',
    destination({ eventProperties: { region: 'x'.repeat(129) } }),
    'destination.eventProperties.region',
  ],
  [
    'an event property whose name has a space',
    destination({ eventProperties: { 'a b': 1 } }),
    'destination.eventProperties.a b',
  ],
  [
    '21 event properties',
    destination({ eventProperties: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`p${i}`, i])) }),
    'destination.eventProperties',
  ],
  ['no TLS in tls', destination({ tls: {} }), 'destination.tls'],
  ['a certificate that is none', destination({ tls: { ca: 'PEM' } }), 'destination.tls.ca'],
  [
    'a certificate without its key',
    destination({ tls: { certificate: acme.certificate } }),
    'destination.tls.key',
  ],
  ['a key without its certificate', destination({ tls: { key: acme.key } }), 'destination.tls.certificate'],
  [
    "a key that is another certificate's",
    destination({ tls: { certificate: acme.certificate, key: globex.key } }),
    'destination.tls.key',
  ],
  [
    'a key where a certificate belongs',
    destination({ tls: { certificate: acme.key, key: acme.key } }),
    'destination.tls.certificate',
  ],
  [
    'a key behind its certificate',
    destination({ tls: { certificate: acme.certificate + acme.key, key: acme.key } }),
    'destination.tls.certificate',
  ],
  [
    'two certificates in one line',
    destination({ tls: { ca: acme.certificate.trim() + globex.certificate } }),
    'destination.tls.ca',
  ],
  [
    'a key that needs a passphrase',
    destination({ tls: { certificate: acme.certificate, key: locked } }),
    'destination.tls.key',
  ],
  [
    'an ed25519 key that is too short',
    destination({ signingSecrets: [`whsk_${Buffer.alloc(31).toString('base64')}`] }),
    'destination.signingSecrets[0]',
  ],
  [
    "an ed25519 key with another's public key behind it",
    destination({ signingSecrets: [`whsk_${Buffer.alloc(64, 1).toString('base64')}`] }),
    'destination.signingSecrets[0]',
  ],
  [
    'a public key for a secret',
    destination({ signingSecrets: [`whpk_${Buffer.alloc(32).toString('base64')}`] }),
    'destination.signingSecrets[0]',
  ],
  [
    'a secret that expires at no time',
    destination({ signingSecrets: [{ secret: SIGNING_SECRET, expiresAt: 'soon' }] }),
    'destination.signingSecrets[0].expiresAt',
  ],
  [
    'a secret without its end',
    destination({ signingSecrets: [{ secret: SIGNING_SECRET }] }),
    'destination.signingSecrets[0].expiresAt',
  ],
  [
    'a wrong secret with its end',
    destination({ signingSecrets: [{ secret: 'whsec_x', expiresAt: '2026-12-01T00:00:00Z' }] }),
    'destination.signingSecrets[0].secret',
  ],
  ['a secret that is a number', destination({ signingSecrets: [5] }), 'destination.signingSecrets[0]'],
  [
    'a total time of less than nothing',
    destination({ retry: { delaysMs: [], totalMs: -1 } }),
    'destination.retry.totalMs',
  ],
  ['a retry policy that is no object', destination({ retry: 3 }), 'destination.retry'],
  [
    '51 retries',
    destination({ retry: { delaysMs: Array.from({ length: 51 }, () => 1) } }),
    'destination.retry.delaysMs',
  ],
])('a webhook with %s is refused, and %3$s named', async (_, changes, field) => {
  const single = await producer.call('POST', '/v1/webhooks', webhook(changes));
  expect(single.status).toBe(400);
  expect(single.headers.get('content-type')).toContain('application/problem+json');
  expect(fieldsOf(single)).toContain(field);
  for (const { type, detail } of single.json.errors) expect([type, detail]).not.toContain('');
  const bulk = await producer.call('POST', '/v1/webhooks/bulk', { webhooks: [webhook(), webhook(changes)] });
  expect(fieldsOf(bulk)).toContain(`webhooks[1].${field}`);
  expect(await producer.jobs()).toBe(0);
});

test('each fault of a value that may be of several types is told of the type that it has, and of no other', async () => {
  const faulty = destination({
    auth: { ...OAUTH, clientSecret: '' },
    signingSecrets: ['whsec_short', { secret: SIGNING_SECRET, expiresAt: 'soon' }],
  });
  const { json } = await producer.call('POST', '/v1/webhooks', webhook(faulty));
  expect(json.errors.map(({ field, type }: { field: string; type: string }) => [field, type])).toEqual([
    ['destination.auth.clientSecret', 'INVALID_VALUE'],
    ['destination.signingSecrets[0]', 'INVALID_VALUE'],
    ['destination.signingSecrets[1].expiresAt', 'INVALID_VALUE'],
  ]);
  expect(JSON.stringify(json)).not.toContain('planted');
});

test.each([
  ['GET without a payload', { ...destination({ method: 'GET' }), payload: undefined }],
  ['GET with one', destination({ method: 'GET' })],
  ['DELETE without a payload', { ...destination({ method: 'DELETE' }), payload: undefined }],
  ['a text as XML', { ...destination({ contentType: 'application/xml' }), payload: '<a/>' }],
  ['an object as a form', destination({ contentType: 'application/x-www-form-urlencoded' })],
  ['a client certificate', destination({ tls: { ...acme, ca: authority.certificate } })],
  [
    'a chain of certificates',
    destination({ tls: { ...acme, certificate: `${acme.certificate}\n${authority.certificate}` } }),
  ],
  ['OAuth', destination({ auth: OAUTH })],
  ['an ed25519 seed', destination({ signingSecrets: [`whsk_${Buffer.alloc(32).toString('base64')}`] })],
  [
    'a secret that expires',
    destination({ signingSecrets: [{ secret: SIGNING_SECRET, expiresAt: '2026-12-01T00:00:00Z' }] }),
  ],
  ['event properties', destination({ eventProperties: { region: 'eu', tier: 2, pilot: true } })],
])('a webhook with %s is taken', async (_, changes) => {
  const own = await setupProducer(redis.url, { prefix: 'taken' });
  const answer = await own.call('POST', '/v1/webhooks', webhook(changes));
  expect([answer.status, answer.json.errors]).toEqual([202, undefined]);
  await own.close();
});

test.each([
  [{ event: 'webhook.lost' }, 'event'],
  [{ reason: 'weather' }, 'reason'],
  [{ from: 'yesterday' }, 'from'],
  [{ to: 5 }, 'to'],
  [{ limit: 0 }, 'limit'],
  [{ perSecond: 1_001 }, 'perSecond'],
  [{ all: true }, 'all'],
])('a replay of %j is refused, and %s named', async (body, field) => {
  const answer = await producer.call('POST', '/v1/campaigns/spring-sale/replay', body);
  expect(answer.status).toBe(400);
  expect(fieldsOf(answer)).toContain(field);
});

test('a webhook that is unknown can not be replayed', async () => {
  const answer = await producer.call('POST', '/v1/webhooks/wh_0_000000000000_0_0/replay');
  expect(answer.status).toBe(404);
});

test('every field at fault is named in one answer', async () => {
  const answer = await producer.call('POST', '/v1/webhooks', {
    campaignId: '',
    destination: { url: 'ftp://x', method: 'LIST' },
    extra: 1,
  });
  expect(fieldsOf(answer).sort()).toEqual(
    ['campaignId', 'destination.method', 'destination.url', 'extra', 'messageId', 'payload'].sort(),
  );
});

test('a channel that does not exist is named, in a bulk call at its place', async () => {
  const unknown = webhook({ destination: undefined, channelConfigId: 'nowhere' });
  const single = await producer.call('POST', '/v1/webhooks', unknown);
  expect(single.status).toBe(400);
  expect(single.json.errors).toMatchObject([{ field: 'channelConfigId', type: 'UNKNOWN_VALUE' }]);
  const bulk = await producer.call('POST', '/v1/webhooks/bulk', { webhooks: [webhook(), unknown] });
  expect(fieldsOf(bulk)).toEqual(['webhooks[1].channelConfigId']);
});

test.each<[string, number, string, string, Record<string, string>]>([
  ['JSON that breaks off', 400, '/v1/webhooks', '{"campaignId":', { 'content-type': 'application/json' }],
  ['an empty JSON body', 400, '/v1/webhooks', '', { 'content-type': 'application/json' }],
  ['a form', 415, '/v1/webhooks', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['XML', 415, '/v1/webhooks/bulk', '<a/>', { 'content-type': 'application/xml' }],
  ...['/v1/webhooks', '/v1/webhooks/bulk', '/v1/events', '/v1/campaigns/c/replay'].flatMap((path) =>
    [{ 'content-encoding': 'gzip' }, { 'content-type': 'application/json; charset=iso-8859-1' }].map(
      (changes): [string, number, string, string, Record<string, string>] => [
        `${JSON.stringify(changes)} to ${path}`,
        415,
        path,
        '{}',
        { 'content-type': 'application/json', ...changes },
      ],
    ),
  ),
  ['NDJSON for a single call', 415, '/v1/webhooks', '{}', { 'content-type': 'application/x-ndjson' }],
])('%s gets %d as problem+json', async (_, status, path, body, headers) => {
  const answer = await producer.call('POST', path, body, headers);
  expect(answer.status).toBe(status);
  expect(answer.json).toMatchObject({ type: 'about:blank', status });
});

test('bodies over their limits get 413', async () => {
  const mebibyte = 1024 * 1024;
  const beyondRoute = await producer.call(
    'POST',
    '/v1/webhooks',
    webhook({ payload: 'x'.repeat(2 * mebibyte) }),
  );
  expect(beyondRoute.status).toBe(413);
  expect(beyondRoute.json).toMatchObject({ errors: [{ field: '', type: 'TOO_LONG' }] });
  const line = JSON.stringify(webhook({ payload: 'x'.repeat(mebibyte - 2) }));
  const beyondBulk = await producer.call(
    'POST',
    '/v1/webhooks/bulk',
    Array.from({ length: 33 }, () => line).join('\n'),
    {
      'content-type': 'application/x-ndjson',
    },
  );
  expect(beyondBulk.status).toBe(413);
  expect(beyondBulk.json).toMatchObject({ errors: [{ field: '', type: 'TOO_LONG' }] });
  expect(await producer.jobs()).toBe(0);
});

test('a payload of exactly 1 MiB is taken, and one byte more is refused by name', async () => {
  const own = await setupProducer(redis.url, { prefix: 'size' });
  const quoted = 1024 * 1024 - 2;
  const fits = await own.call('POST', '/v1/webhooks', webhook({ payload: 'x'.repeat(quoted) }));
  expect(fits.status).toBe(202);
  const over = await own.call('POST', '/v1/webhooks', webhook({ payload: 'x'.repeat(quoted + 1) }));
  expect(over.status).toBe(400);
  expect(fieldsOf(over)).toEqual(['payload']);
  await own.close();
});

test.each([65, 4_388, 100_000])('a payload nested %d levels deep is refused by name', async (levels) => {
  const form = { url: 'https://example.com', contentType: 'application/x-www-form-urlencoded' };
  const deep = JSON.stringify(webhook({ destination: form })).replace(
    '{"hello":"world"}',
    () => `${'['.repeat(levels)}${']'.repeat(levels)}`,
  );
  const single = await producer.call('POST', '/v1/webhooks', deep);
  expect(single.status).toBe(400);
  expect(fieldsOf(single)).toEqual(['payload']);
  const bulk = await producer.call('POST', '/v1/webhooks/bulk', `{"webhooks":[${deep}]}`);
  expect(fieldsOf(bulk)).toEqual(['webhooks[0].payload']);
  const lines = await producer.call('POST', '/v1/webhooks/bulk', `\n${deep}\n`, {
    'content-type': 'application/x-ndjson',
  });
  expect(fieldsOf(lines)).toEqual(['webhooks[0].payload']);
});

test('a payload given twice, and numbers that would be changed, are refused by name', async () => {
  const text = JSON.stringify(webhook()).replace('"spring-sale"', '9007199254740991.4');
  const answer = await producer.call('POST', '/v1/webhooks', text.replace('}}', '},"p\\u0061yload":1}'));
  expect(answer.status).toBe(400);
  expect(fieldsOf(answer)).toEqual(['payload', 'campaignId']);
});

test('bytes that are no UTF-8 are refused, and not replaced, on every route', async () => {
  const calls = [
    ['POST', '/v1/webhooks', JSON.stringify(webhook({ payload: 'X' }))],
    ['PUT', '/v1/channels/latin', '{"url":"https://example.com/X"}'],
    ['POST', '/v1/channels/latin/test', '{"payload":"X"}'],
  ] as const;
  for (const [method, path, text] of calls) {
    const response = await fetch(producer.url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(text.replace('X', '\xe9'), 'latin1'),
    });
    expect({ path, status: response.status }).toEqual({ path, status: 400 });
    expect(await response.text()).toContain('is not valid UTF-8');
  }
});

test.each([
  ['application/json', '{"webhooks":[', ',', ']}'],
  ['application/x-ndjson', '', '\n', '\n'],
])('each item of a bulk call as %s is read as a webhook by itself', async (type, start, separator, end) => {
  const wide = `[${Array.from({ length: 10_000 }, () => 0).join()}]`;
  const items = [
    JSON.stringify(webhook({ payload: '\xe9' })),
    JSON.stringify(webhook({ auth: 0 })).replace('"auth":0', `"auth":${wide}`),
    JSON.stringify(webhook()).replace('}}', '},"userId":1,"userId":2}'),
    '{"payload":1,}',
  ];
  const response = await fetch(`${producer.url}/v1/webhooks/bulk`, {
    method: 'POST',
    headers: { 'content-type': type },
    body: Buffer.from(start + items.join(separator) + end, 'latin1'),
  });
  const { errors } = (await response.json()) as { errors: { field: string; detail: string }[] };
  expect(errors.map(({ field, detail }) => `${field} ${detail}`)).toEqual([
    'webhooks[0].payload is not valid UTF-8',
    'webhooks[1] must not hold more than 10000 values',
    'webhooks[2].userId is given more than once',
    'webhooks[3] is not valid JSON from byte 13 on',
  ]);
});

test('what is at fault beside the items of a bulk call is named with them', async () => {
  const item = JSON.stringify(webhook({ userId: '' }));
  const named = async (body: string) => fieldsOf(await producer.call('POST', '/v1/webhooks/bulk', body));
  expect(await named(`{"webhooks":[${item}],"webhook":1}`)).toEqual(['webhooks[0].userId', 'webhook']);
  expect(await named(`{"webhooks":[${item}]`)).toEqual(['webhooks[0].userId', '']);
});

test('a number of event properties that would be changed is refused', async () => {
  const channel = '{"url":"https://example.com","eventProperties":{"team":9007199254740993}}';
  const answer = await producer.call('PUT', '/v1/channels/team', channel);
  expect(answer.status).toBe(400);
  expect(fieldsOf(answer)).toEqual(['eventProperties.team']);
});

test('no body makes the producer fail: any JSON gets 202 or 4xx', async () => {
  const own = await setupProducer(redis.url, { prefix: 'fuzz' });
  const field = fc.constantFrom(
    ...Object.keys(webhook()),
    'channelConfigId',
    'deliverAt',
    'idempotencyKey',
    '__proto__',
    'constructor',
  );
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.tuple(field, fc.jsonValue()).map(([name, value]) => ({ ...webhook(), [name]: value })),
    fc
      .tuple(
        fc.constantFrom(
          ...['url', 'method', 'contentType', 'headers', 'auth', 'tls', 'signingSecrets', 'eventProperties'],
          ...['retry', 'timeoutMs'],
        ),
        fc.jsonValue(),
      )
      .map(([name, value]) => webhook(destination({ [name]: value }))),
  );
  await fc.assert(
    fc.asyncProperty(anything, fc.constantFrom('/v1/webhooks', '/v1/webhooks/bulk'), async (body, path) => {
      const wrapped = path.endsWith('bulk') ? { webhooks: [body] } : body;
      const { status, json } = await own.call('POST', path, JSON.stringify(wrapped));
      if (status !== 202) {
        expect(status).toBe(400);
        expect(json.detail).not.toBe('');
      }
    }),
    { numRuns: 300 },
  );
  await own.close();
});

test('bytes that are no UTF-8, and no JSON at all, get 4xx', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.constantFrom('application/json', 'application/x-ndjson'),
      async (bytes, contentType) => {
        const response = await fetch(`${producer.url}/v1/webhooks/bulk`, {
          method: 'POST',
          headers: { 'content-type': contentType },
          body: Buffer.from(bytes),
        });
        await response.arrayBuffer();
        expect(response.status).toBe(400);
      },
    ),
    { numRuns: 100 },
  );
});

/** The fifth promise: bad input gets a 4xx that names each field at fault, whatever it is. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
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
    'destination.auth',
  ],
  [
    'a header that authenticates without a value',
    destination({ auth: { type: 'header', name: 'x-key' } }),
    'destination.auth',
  ],
  ['an unknown authentication', destination({ auth: { type: 'digest' } }), 'destination.auth'],
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

test('a payload nested 100,000 deep is answered, not crashed on', async () => {
  const deep = `{"campaignId":"c","messageId":"m","destination":{"url":"https://example.com"},"payload":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const { status } = await producer.call('POST', '/v1/webhooks', deep);
  expect([202, 400]).toContain(status);
  expect((await producer.call('GET', '/healthz')).status).toBe(200);
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
      .tuple(fc.constantFrom('url', 'method', 'headers', 'auth', 'retry', 'timeoutMs'), fc.jsonValue())
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

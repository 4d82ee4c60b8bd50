/** With each HTTP client, every answer of a destination becomes the right event and retry. Takes about 9 s. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Answer, eventually, type Receiver, startReceiver, startTestRedis } from '@hookfleet/testkit';
import type { RedisConnection, WebhooksOut } from '@hookfleet/queue';
import { disconnectRedis } from '@hookfleet/queue';
import { startRawServer } from './raw-server.ts';
import { CLIENTS } from './setup-requests.ts';
import { connect, openProducer, startWorker, type WorkerUnderTest } from './setup.ts';

describe.each(CLIENTS)('with %s', (client) => {
  let redis: Awaited<ReturnType<typeof startTestRedis>>;
  let worker: WorkerUnderTest;
  let connection: RedisConnection;
  let webhooks: WebhooksOut;
  let receiver: Receiver;
  const answers = new Map<string, (nth: number) => Answer>();

  beforeAll(async () => {
    redis = await startTestRedis();
    receiver = await startReceiver(({ path, nth, headers }) =>
      path.startsWith('/echo')
        ? { status: 400, body: JSON.stringify({ path, headers }) }
        : (answers.get(path)?.(nth) ?? { status: 200 }),
    );
    connection = connect(redis.url);
    webhooks = openProducer(connection);
    worker = await startWorker(redis.url, { httpClient: client });
  });

  afterAll(async () => {
    await worker?.stop();
    await webhooks.close();
    disconnectRedis(connection);
    await receiver.close();
    await redis.stop();
    expect(worker.errors).toEqual([]);
  });

  const retry = { delaysMs: [10, 10], jitter: 0 };

  async function deliver(path: string, answer: (nth: number) => Answer, url = `${receiver.url}${path}`) {
    answers.set(path, answer);
    const [id] = await webhooks.enqueue([
      { campaignId: 'c', messageId: 'm', destination: { url, retry }, body: '{}' },
    ]);
    return eventually(async () => {
      const found = await webhooks.find(id as string);
      if (found?.state !== 'delivered' && found?.state !== 'failed') throw new Error(`still ${found?.state}`);
      return found;
    });
  }

  test('a webhook that got 503, 503, 200 is two bounced events and one delivered event', async () => {
    const found = await deliver('/recovers', (nth) => ({ status: nth < 3 ? 503 : 200, body: 'sorry' }));
    expect(found.state).toBe('delivered');
    expect(
      found.attempts.map(({ event, reason, attempt, final }) => ({ event, reason, attempt, final })),
    ).toEqual([
      { event: 'webhook.bounced', reason: 'http_5xx', attempt: 1, final: false },
      { event: 'webhook.bounced', reason: 'http_5xx', attempt: 2, final: false },
      { event: 'webhook.delivered', reason: undefined, attempt: 3, final: true },
    ]);
    expect(found.attempts[0]?.responseBody).toBe('sorry');
  });

  test('every attempt of a webhook carries the same webhook-id, and it is the id of the 202', async () => {
    const found = await deliver('/same-id', (nth) => ({ status: nth < 3 ? 500 : 204 }));
    const ids = receiver.ledger
      .filter(({ request }) => request.path === '/same-id')
      .map(({ request }) => request.webhookId);
    expect(ids).toEqual([found.id, found.id, found.id]);
  });

  test.each([
    ['a refused connection', 'connection', 'refused', 'http://127.0.0.1:1/'],
    ['a name that does not resolve', 'dns', /^name_/, 'http://no-such-host.invalid/'],
  ])(
    '%s bounces and is tried until the policy ends; the webhook is then failed',
    async (_what, reason, cause, url) => {
      const found = await deliver(`/${reason}`, () => 'hang', url);
      expect(found.state).toBe('failed');
      expect(found.attempts.map((attempt) => attempt.reason)).toEqual([reason, reason, reason]);
      expect(found.attempts.map((attempt) => attempt.final)).toEqual([false, false, true]);
      expect(found.attempts.every((attempt) => attempt.statusCode === undefined)).toBe(true);
      for (const attempt of found.attempts) {
        expect(attempt.cause).toMatch(cause);
        expect(attempt.detail).toMatch(/\w+ \w+/);
      }
    },
  );

  test('a reset connection bounces as connection, and recovers', async () => {
    const found = await deliver('/reset', (nth) => (nth === 1 ? 'reset' : { status: 200 }));
    expect(found.attempts.map(({ event, reason }) => [event, reason])).toEqual([
      ['webhook.bounced', 'connection'],
      ['webhook.delivered', undefined],
    ]);
  });

  test('a destination that never answers times out within the deadline for a whole attempt', async () => {
    const found = await deliver('/hangs', (nth) => (nth === 1 ? 'hang' : { status: 200 }));
    expect(found.attempts[0]).toMatchObject({ event: 'webhook.bounced', reason: 'timeout' });
  });

  test.each([
    [404, 'http_4xx'],
    [410, 'gone'],
    [302, 'redirect'],
  ] as const)(
    'a %i ends the webhook as an error with reason %s after one attempt',
    async (status, reason) => {
      const found = await deliver(`/status-${status}`, () => ({
        status,
        headers: { location: '/elsewhere' },
      }));
      expect(found.state).toBe('failed');
      expect(found.attempts.map((attempt) => [attempt.event, attempt.reason])).toEqual([
        ['webhook.error', reason],
      ]);
      expect(receiver.count(({ request }) => request.path === '/elsewhere')).toBe(0);
    },
  );

  test.each([
    ['stalls', { status: 200, stalledBody: 'x'.repeat(100) }],
    ['is cut', { status: 200, cutBody: 'x'.repeat(100) }],
    ['never ends', { status: 200, endlessBody: 'x'.repeat(65_536) }],
  ] as const)('a 200 whose body %s is delivered: the status decides', async (what, answer) => {
    const found = await deliver(`/body-${what.replaceAll(' ', '-')}`, () => answer);
    expect(found.attempts.map(({ event }) => event)).toEqual(['webhook.delivered']);
  });

  test.each([
    ['folds a header', 'HTTP/1.1 200 OK\r\nx-a: b\r\n c\r\ncontent-length: 0\r\n\r\n'],
    ['has two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\ncontent-length: 1\r\n\r\n'],
    ['sets cookies of 80 KB', `HTTP/1.1 200 OK\r\n${`set-cookie: ${'c'.repeat(4_000)}\r\n`.repeat(20)}\r\n`],
  ])('a 200 that %s is delivered by one request', async (_what, text) => {
    const server = await startRawServer({ onRequest: (socket) => void socket.write(text) });
    const found = await deliver('', () => 'hang', server.url);
    expect(found.attempts).toMatchObject([{ event: 'webhook.delivered', statusCode: 200, final: true }]);
    expect(server.requests()).toBe(1);
    await server.close();
  });

  test('what a destination echoes is stored without its secrets', async () => {
    const url = `${receiver.url.replace('://', '://user:secret-of-the-url@')}/echo?token=secret%2Fin-query`;
    const destination = {
      url,
      headers: { 'x-api-key': 'secret "in a header"', 'x-tenant': 'blue' },
      signingSecrets: [`whsec_${Buffer.from('secret that signs the webhook').toString('base64')}`],
      retry: { delaysMs: [] },
    };
    const [id] = await webhooks.enqueue([{ campaignId: 'c', messageId: 'm', destination, body: '{}' }]);
    const found = await eventually(async () => {
      const now = await webhooks.find(id as string);
      if (now?.state !== 'failed') throw new Error(`still ${now?.state}`);
      return now;
    });
    const shown = found.attempts[0]?.responseBody ?? '';
    expect(shown).toContain('"x-tenant":"blue"');
    const outcome = worker.outcomes.find(({ webhookId }) => webhookId === id);
    expect(outcome?.responseBody).toBe(shown);
    const basic = Buffer.from('user:secret-of-the-url').toString('base64');
    for (const hidden of ['secret', 'in-query', 'in a header', basic]) expect(shown).not.toContain(hidden);
  });

  test('of a response that is no 2xx the first KiB is kept, whole characters only', async () => {
    const found = await deliver('/long', () => ({ status: 400, body: 'ü'.repeat(5_000) }));
    const excerpt = found.attempts[0]?.responseBody ?? '';
    expect(excerpt).toBe('ü'.repeat(512));
  });

  test('an address that the operator does not allow is blocked, by literal and by name, and nothing is sent there', async () => {
    const strict = await startWorker(redis.url, { httpClient: client, allow: [], prefix: 'strict' });
    const out = openProducer(connection, { prefix: 'strict' });
    const port = new URL(receiver.url).port;
    const urls = [
      `http://127.0.0.1:${port}/blocked`,
      `http://localhost:${port}/blocked`,
      `http://[::1]:${port}/blocked`,
      `http://[::ffff:127.0.0.1]:${port}/blocked`,
    ];
    const ids = await out.enqueue(
      urls.map((url) => ({ campaignId: 'c', messageId: 'm', destination: { url }, body: '{}' })),
    );
    for (const id of ids) {
      await eventually(async () => {
        const found = await out.find(id);
        expect(found?.attempts.map(({ event, reason }) => [event, reason])).toEqual([
          ['webhook.error', 'blocked'],
        ]);
      });
    }
    expect(receiver.count(({ request }) => request.path === '/blocked')).toBe(0);
    await strict.stop();
    await out.close();
  });
});

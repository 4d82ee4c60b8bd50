/** What a destination gets to see, and what it can't do to us. Takes about 7 s. */
import { once } from 'node:events';
import { createServer } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  createSecretBox,
  disconnectRedis,
  openChannels,
  type RedisConnection,
  type WebhooksOut,
  type WebhookToEnqueue,
} from '@hookfleet/queue';
import {
  type Answer,
  CLOCKS_DIFFER_MS,
  eventually,
  type Receiver,
  startReceiver,
  startTestRedis,
} from '@hookfleet/testkit';
import { Webhook } from 'standardwebhooks';
import { CLIENTS } from './setup-requests.ts';
import { connect, openProducer, startWorker, type WorkerUnderTest } from './setup.ts';

describe.each(CLIENTS)('with %s', (client) => {
  let redis: Awaited<ReturnType<typeof startTestRedis>>;
  let worker: WorkerUnderTest;
  let connection: RedisConnection;
  let webhooks: WebhooksOut;
  let receiver: Receiver;
  const answers = new Map<string, Answer>();

  beforeAll(async () => {
    redis = await startTestRedis();
    receiver = await startReceiver(({ path }) => answers.get(path) ?? { status: 200 });
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
  });

  const NO_RETRY = { delaysMs: [] };
  async function deliver(
    path: string,
    { destination, ...webhook }: Partial<WebhookToEnqueue> = {},
    url = receiver.url + path,
  ) {
    const [id] = await webhooks.enqueue([
      {
        campaignId: 'c',
        messageId: 'm',
        body: '{"a":1}',
        ...(webhook.channelConfigId === undefined && {
          destination: { retry: NO_RETRY, ...destination, url },
        }),
        ...webhook,
      },
    ]);
    const found = await eventually(async () => {
      const view = await webhooks.find(id as string);
      if (view?.state !== 'delivered' && view?.state !== 'failed') throw new Error(`still ${view?.state}`);
      return view;
    });
    const requests = receiver.ledger
      .filter((entry) => entry.request.path === path)
      .map(({ request }) => request);
    return { found, requests };
  }

  test('a request carries the Standard Webhooks headers; the standardwebhooks package verifies them', async () => {
    const secrets = ['a', 'b'].map((letter) => `whsec_${Buffer.from(letter.repeat(32)).toString('base64')}`);
    const body = '{"grüße":"\u{1F44B}"}';
    const { requests } = await deliver('/signed', {
      body,
      destination: { url: '', retry: NO_RETRY, signingSecrets: secrets },
    });
    const [request] = requests;
    expect(request?.body.toString()).toBe(body);
    for (const secret of secrets)
      expect(new Webhook(secret).verify(body, request?.headers as Record<string, string>)).toEqual(
        JSON.parse(body),
      );
  });

  test("a destination's method, headers, authentication and content type are used", async () => {
    const { requests } = await deliver('/custom?a=1', {
      body: 'a=1&b=2',
      contentType: 'application/x-www-form-urlencoded',
      destination: {
        url: '',
        method: 'PUT',
        headers: { 'X-Tenant': 'blue', 'User-Agent': 'ours/1' },
        auth: { type: 'basic', username: 'user', password: 'pass:word' },
      },
    });
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({
      method: 'PUT',
      headers: {
        'x-tenant': 'blue',
        'user-agent': 'ours/1',
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from('user:pass:word').toString('base64')}`,
      },
    });
    expect(requests[0]?.body.toString()).toBe('a=1&b=2');
  });

  test('a webhook to a channel is sent as the channel says, also after the channel was deleted', async () => {
    const channels = openChannels({ connection, prefix: 'test', secrets: createSecretBox([]) });
    const token = 'a-token';
    await channels.put('31', {
      url: `${receiver.url}/channel`,
      auth: { type: 'bearer', token },
      retry: NO_RETRY,
    });
    await channels.delete('31');
    const { found, requests } = await deliver('/channel', { channelConfigId: '31' });
    expect(found).toMatchObject({ state: 'delivered', channelConfigId: '31' });
    expect(requests[0]?.headers.authorization).toBe(`Bearer ${token}`);
  });

  test('authentication in a header and in the URL reaches the destination', async () => {
    const auth = { type: 'header', name: 'X-Api-Key', value: 'the key' } as const;
    const inHeader = await deliver('/auth-header', { destination: { url: '', auth } });
    expect(inHeader.requests[0]?.headers['x-api-key']).toBe('the key');
    const url = `${receiver.url}/auth-url`.replace('://', '://user:p%40ss@');
    const inUrl = await deliver('/auth-url', {}, url);
    expect(inUrl.requests[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    );
  });

  test('with an encryption key, nothing of a destination lies in Redis in clear, also while it waits for its retry', async () => {
    const encryptionKeys = [Buffer.alloc(32, 7).toString('base64')];
    const own = await startWorker(redis.url, { httpClient: client, prefix: 'sealed', encryptionKeys });
    const sealed = openProducer(connection, { prefix: 'sealed', encryptionKeys });
    const secrets = createSecretBox(encryptionKeys);
    const planted = 'planted-secret';
    const destination = (path: string) => ({
      url: `${receiver.url}${path}?token=${planted}`,
      auth: { type: 'bearer' as const, token: planted },
      headers: { 'x-key': planted },
      retry: { delaysMs: [3_600_000] },
    });
    await openChannels({ connection, prefix: 'sealed', secrets }).put('c', destination('/sealed-channel'));
    answers.set(`/sealed?token=${planted}`, { status: 503 });
    answers.set(`/sealed-channel?token=${planted}`, { status: 503 });
    const webhook = { campaignId: 'c', messageId: 'm', body: '{}' };
    const ids = await sealed.enqueue([
      { ...webhook, destination: destination('/sealed') },
      { ...webhook, channelConfigId: 'c' },
    ]);
    for (const id of ids)
      await eventually(async () => expect((await sealed.find(id))?.state).toBe('retrying'));
    const sent = receiver.ledger.filter(({ request }) => request.path.includes(planted));
    expect(sent.map(({ request }) => request.headers.authorization)).toEqual([
      `Bearer ${planted}`,
      `Bearer ${planted}`,
    ]);
    const keys = await connection.keys('*sealed*');
    const dumps = await Promise.all(keys.map((key) => connection.dump(key)));
    expect(keys.length).toBeGreaterThan(3);
    // Short values lie in a dump as they are; longer ones are compressed unless Redis is told not to.
    expect(dumps.filter((dump) => dump?.includes(planted))).toEqual([]);
    await own.stop();
    await sealed.close();
  });

  test('a webhook with deliverAt is not sent before', async () => {
    const deliverAtMs = Date.now() + 2 * CLOCKS_DIFFER_MS;
    const { found } = await deliver('/later', { deliverAtMs });
    expect(Date.parse(found.attempts[0]?.occurredAt ?? '')).toBeGreaterThan(deliverAtMs - CLOCKS_DIFFER_MS);
  });

  test('Retry-After is waited for, as seconds', async () => {
    answers.set('/busy', { status: 429, headers: { 'retry-after': '1' } });
    const [id] = await webhooks.enqueue([
      {
        campaignId: 'c',
        messageId: 'm',
        body: '',
        destination: { url: `${receiver.url}/busy`, retry: { delaysMs: [10], jitter: 0 } },
      },
    ]);
    const view = await eventually(async () => {
      const found = await webhooks.find(id as string);
      expect(found?.attempts).toHaveLength(2);
      return found;
    });
    const [first, second] = view?.attempts.map(({ occurredAt }) => Date.parse(occurredAt)) ?? [];
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(1_000);
    expect(view?.attempts.map(({ final }) => final)).toEqual([false, true]);
  });

  test('connections are kept and used again', async () => {
    await deliver('/kept');
    const before = receiver.connectionsTotal();
    for (let i = 0; i < 5; i += 1) await deliver('/kept');
    expect(receiver.connectionsTotal()).toBe(before);
  });

  test('of a compressed body the first KiB is kept, counted after decompression: a bomb stays small', async () => {
    answers.set('/bomb', {
      status: 500,
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync('x'.repeat(20_000_000)),
    });
    const { found } = await deliver('/bomb');
    expect(found.attempts[0]?.responseBody).toBe('x'.repeat(1_024));
  });

  test("a channel's payload is sent as its contentType says", async () => {
    const channels = openChannels({ connection, prefix: 'test', secrets: createSecretBox([]) });
    await channels.put('form', {
      url: `${receiver.url}/as-form`,
      contentType: 'application/x-www-form-urlencoded',
      retry: NO_RETRY,
    });
    const { requests } = await deliver('/as-form', { channelConfigId: 'form', body: '{"a":"ż","b":[1,2]}' });
    expect(requests[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect([...new URLSearchParams(requests[0]?.body.toString())]).toEqual([
      ['a', 'ż'],
      ['b', '1'],
      ['b', '2'],
    ]);
  });

  test("a channel's event properties are on each of its outcomes", async () => {
    const eventProperties = { region: 'eu', tier: 2, pilot: true };
    const { found } = await deliver('/properties', { destination: { url: '', eventProperties } });
    // Told a moment after it is written.
    await eventually(async () => {
      const outcome = worker.outcomes.find(({ webhookId }) => webhookId === found.id);
      expect(outcome?.properties).toEqual(eventProperties);
    });
  });

  test('each attempt tells where its time went; what did not happen is absent', async () => {
    answers.set('/timed', { status: 200, delayMs: 50 });
    const own = await startReceiver(() => ({ status: 200, delayMs: 50 }));
    const first = await deliver('/', {}, `${own.url}/`);
    const second = await deliver('/', {}, `${own.url}/`);
    const [fresh, kept] = [first, second].map(({ found }) => found.attempts[0]?.timingsMs);
    expect(fresh).toEqual({
      connect: expect.any(Number),
      firstByte: expect.any(Number),
      total: expect.any(Number),
    });
    expect(kept).toEqual({ firstByte: expect.any(Number), total: expect.any(Number) });
    for (const timings of [fresh, kept]) {
      expect(timings?.firstByte).toBeGreaterThanOrEqual(49);
      expect(timings?.total).toBeGreaterThanOrEqual((timings?.firstByte ?? 0) - 2);
    }
    const refused = await deliver('/', {}, 'http://127.0.0.1:1/');
    expect(refused.found.attempts[0]?.timingsMs).toEqual({ total: expect.any(Number) });
    await own.close();
  });

  test.each([
    ['isn’t what its header says', Buffer.from('plain'), 'plain'],
    ['is cut', gzipSync('y'.repeat(100)).subarray(0, 20), expect.any(String)],
  ])('a compressed body that %s still yields an outcome', async (what, body, excerpt) => {
    const path = `/gzip-${what.length}`;
    answers.set(path, { status: 500, headers: { 'content-encoding': 'gzip' }, body });
    const { found } = await deliver(path);
    expect(found.attempts[0]).toMatchObject({
      event: 'webhook.bounced',
      reason: 'http_5xx',
      responseBody: excerpt,
    });
  });

  test('a receiver that doesn’t speak TLS, and one whose certificate nobody vouches for, bounce as tls', async () => {
    const port = new URL(receiver.url).port;
    const plain = await deliver('/', {}, `https://127.0.0.1:${port}/`);
    expect(plain.found.attempts[0]).toMatchObject({ event: 'webhook.bounced', reason: 'tls' });
    const selfSigned = createServer({ key: SELF_SIGNED_KEY, cert: SELF_SIGNED_CERTIFICATE });
    selfSigned.on('tlsClientError', () => undefined);
    selfSigned.listen(0, '127.0.0.1');
    await once(selfSigned, 'listening');
    const { found } = await deliver(
      '/',
      {},
      `https://127.0.0.1:${(selfSigned.address() as { port: number }).port}/`,
    );
    expect(found.attempts[0]).toMatchObject({ event: 'webhook.bounced', reason: 'tls' });
    selfSigned.close();
    await once(selfSigned, 'close');
  });

  test('an answer whose headers are too large is still an answer, and is not retried', async () => {
    answers.set('/headers', { status: 200, headers: { 'x-long': 'x'.repeat(100_000) } });
    const { found } = await deliver('/headers');
    expect(found.attempts).toMatchObject([{ event: 'webhook.delivered', statusCode: 200 }]);
  });
});

// Made for this test, valid for a hundred years, trusted by nobody.
const SELF_SIGNED_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMAH7pp292HMWLKdV
QO+Xe88wCvLyGKEt4xQmcBSFR3ShRANCAAQD2K4J6knPppfRGfU/UJv1lI4wcsIs
ggk8pvLLGkS7r5cIpZtoWIDMs+e1tAo16OqRy3It9fmrJf3JMYU+uAUI
-----END PRIVATE KEY-----`;
const SELF_SIGNED_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBkjCCATmgAwIBAgIUWhxvw0bm84Bk7/odFaQmzohqbg4wCgYIKoZIzj0EAwIw
HjEcMBoGA1UEAwwTZGVzdGluYXRpb24uaW52YWxpZDAgFw0yNjExMjMyMjAzMTZa
GA8yMTI2MTAzMDIyMDMxNlowHjEcMBoGA1UEAwwTZGVzdGluYXRpb24uaW52YWxp
ZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAPYrgnqSc+ml9EZ9T9Qm/WUjjBy
wiyCCTym8ssaRLuvlwilm2hYgMyz57W0CjXo6pHLci31+asl/ckxhT64BQijUzBR
MB0GA1UdDgQWBBS3uyDjUrKTGIzAFA1CZ6c7B9IPgDAfBgNVHSMEGDAWgBS3uyDj
UrKTGIzAFA1CZ6c7B9IPgDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cA
MEQCIH8M3QcUmzUzYNZcnB2GCSJQY3x0xLOfrsHls7DGzp73AiAdXMMu2PNP8418
vPYwI1BxHsVuV9+36VztqUHxRc7knA==
-----END CERTIFICATE-----`;

/** Over HTTP: what can't be used is refused at once, without its secrets, and so is what is no answer of hookfleet's. Takes about 1 s. */
import { afterEach, expect, test } from '@jest/globals';
import { type Answer, type Receiver, startReceiver } from '@hookfleet/testkit';
import type { Client } from './client.ts';
import { RefusedError, UnavailableError } from './errors.ts';
import { connectHttp } from './http.ts';

const URL_OF_NOBODY = 'http://127.0.0.1:1';
const WEBHOOK = { campaignId: 'c', messageId: 'm', channelConfigId: '1', payload: 1 };
let receiver: Receiver | undefined;

afterEach(async () => {
  await receiver?.close();
  receiver = undefined;
});

test.each([
  'http://user:planted-5ecret@127.0.0.1:1',
  'http://planted-5ecret@127.0.0.1:1',
  'redis://:planted-5ecret@127.0.0.1:1',
  'http://:planted/5ecret@127.0.0.1',
  'user:planted-5ecret@127.0.0.1',
  `${URL_OF_NOBODY}/?key=planted-5ecret`,
  `${URL_OF_NOBODY}/#planted-5ecret`,
  ` ${URL_OF_NOBODY}`,
  `${URL_OF_NOBODY}/a b`,
  `${URL_OF_NOBODY}/v1`,
  `${URL_OF_NOBODY}/hooks/v1/`,
])('%s is refused at once, in words without the password', (url) => {
  expect(() => connectHttp({ url })).toThrow(/^url must (?!.*(?:planted|5ecret))/);
});

test.each(['', 'planted-5ecret\nX', 'planted 5ecret', 'planted-5écret'])(
  'the key %j is refused, and not shown',
  (apiKey) => {
    expect(() => connectHttp({ url: URL_OF_NOBODY, apiKey })).toThrow(/^apiKey must (?!.*(?:planted|5))/);
  },
);

test.each([0, -1, Number.NaN])('a time limit of %d is none', async (ms) => {
  for (const options of [{ deadlineMs: ms }, { tryMs: ms }])
    expect(() => connectHttp({ url: URL_OF_NOBODY, ...options })).toThrow(TypeError);
  const client = connectHttp({ url: URL_OF_NOBODY });
  await expect(client.enqueue(WEBHOOK, { deadlineMs: ms })).rejects.toThrow(TypeError);
});

async function open(answer: () => Answer) {
  receiver = await startReceiver(answer);
  return connectHttp({
    url: `${receiver.url}/`,
    deadlineMs: Number.POSITIVE_INFINITY,
    tryMs: 30 * 86_400_000,
  });
}

const json = (status: number, body: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

test('without end means without end', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const client = await open(() => ({ ...(json(202, { id: 'wh_1' }) as object), after: promise }) as Answer);
  const enqueuing = client.enqueue(WEBHOOK);
  await receiver?.received(1);
  resolve();
  expect(await enqueuing).toEqual({ id: 'wh_1' });
  await client.close();
});

test('a client that is closed ends what is under way, and takes nothing more', async () => {
  const client = await open(() => 'hang');
  const enqueuing = client.enqueue(WEBHOOK).catch((error: unknown) => error);
  await receiver?.received(1);
  await client.close();
  expect(await enqueuing).toBeInstanceOf(UnavailableError);
  await expect(client.enqueue(WEBHOOK)).rejects.toThrow('the client is closed');
  await expect(client.find('wh_1')).rejects.toThrow('the client is closed');
  expect(receiver?.ledger).toHaveLength(1);
});

test.each([{ ok: true }, { id: 1 }, { ids: [] }, [], null, 'text'])(
  '%j is no answer of hookfleet',
  async (body) => {
    const client = await open(() => json(200, body));
    const calls = [
      client.enqueue(WEBHOOK),
      client.report({ campaignId: 'c', event: 'e' }),
      client.find('wh_1'),
    ];
    for (const call of calls) await expect(call).rejects.toBeInstanceOf(RefusedError);
    const all = client.enqueueAll([WEBHOOK]).next();
    await expect(all).rejects.toBeInstanceOf(RefusedError);
    await client.close();
  },
);

test('a webhook that a producer does not know is undefined; a 404 of anything else is a refusal', async () => {
  let detail = 'There is no webhook wh_1, or it ended so long ago that it is forgotten.';
  const client = await open(() => json(404, { title: 'Not Found', status: 404, detail }));
  expect(await client.find('wh_1')).toBeUndefined();
  detail = 'GET /v1/webhooks/wh_1 is no call of this API.';
  await expect(client.find('wh_1')).rejects.toBeInstanceOf(RefusedError);
  await client.close();
});

/** What `answers` say in turn, the last of them again and again. */
async function openToAnswers(...answers: readonly Answer[]) {
  let calls = 0;
  return open(() => answers[Math.min(calls++, answers.length - 1)] as Answer);
}

const bodies = () => (receiver as Receiver).ledger.map(({ request }) => request.body.toString());

const accepted = (bulk: boolean) => json(202, bulk ? { ids: ['wh_1', 'wh_2'] } : { id: 'wh_1' });
const EVENT = { campaignId: 'c', event: 'shop.order' };
const CALLS = {
  enqueue: [accepted(false), (client) => client.enqueue(WEBHOOK)],
  enqueueAll: [accepted(true), (client) => taken(client.enqueueAll([WEBHOOK, WEBHOOK]))],
  report: [json(202, { accepted: 1, ignored: [] }), (client) => client.report(EVENT)],
  reportAll: [json(202, { accepted: 2, ignored: [] }), (client) => taken(client.reportAll([EVENT, EVENT]))],
} satisfies Record<string, [Answer, (client: Client) => Promise<unknown>]>;

async function taken(results: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const result of results) all.push(result);
  return all;
}

test.each(Object.entries(CALLS))(
  '%s is made again byte for byte, under the keys of its first try',
  async (_name, [answer, call]) => {
    const client = await openToAnswers({ status: 503 }, 'reset', { status: 502 }, answer);
    await call(client);
    const [first = '', ...others] = bodies();
    expect(others).toEqual([first, first, first]);
    const keys = [...first.matchAll(/"(?:idempotencyKey|id)":"([^"]{20,})"/g)].map(([, key]) => key);
    expect(keys).toHaveLength(first.includes('[') ? 2 : 1);
    expect(new Set(keys).size).toBe(keys.length);
    // Another call of the same is another webhook, or event.
    await call(client);
    for (const key of keys) expect(bodies().at(-1)).not.toContain(key);
    await client.close();
  },
);

test.each([408, 425, 429, 500, 502, 503, 504, 599])(
  'a call that is answered %i is made again',
  async (status) => {
    const client = await openToAnswers({ status }, json(202, { id: 'wh_1' }));
    expect(await client.enqueue(WEBHOOK)).toEqual({ id: 'wh_1' });
    expect(bodies()).toHaveLength(2);
    await client.close();
  },
);

test.each([301, 307, 400, 401, 403, 404, 409, 413, 415, 422, 431, 499])(
  'a call that is answered %i is refused at its first try',
  async (status) => {
    const client = await openToAnswers({ status, headers: { location: '/elsewhere' } });
    // A client that follows a redirect, or tries again, gives up.
    await expect(client.enqueue(WEBHOOK, { deadlineMs: 10_000 })).rejects.toMatchObject({
      name: 'RefusedError',
      problem: { status },
    });
    expect(bodies()).toHaveLength(1);
    await client.close();
  },
);

test.each([
  ['3600', 3_600_000],
  [new Date(Date.now() + 3_600_000).toUTCString(), 3_600_000],
])('Retry-After: %s is waited for, or told where the deadline is sooner', async (retryAfter, ms) => {
  const client = await openToAnswers({ status: 503, headers: { 'retry-after': retryAfter } });
  const error = await client.enqueue(WEBHOOK, { deadlineMs: 60_000 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UnavailableError);
  const { retryAfterMs = 0 } = error as UnavailableError;
  expect(retryAfterMs).toBeLessThanOrEqual(ms);
  expect(retryAfterMs).toBeGreaterThan(60_000);
  expect(bodies()).toHaveLength(1);
  await client.close();
});

test('a call carries the key, and its content type only with a body', async () => {
  receiver = await startReceiver(({ method }) =>
    method === 'POST' ? json(202, { id: 'wh_1' }) : json(200, { id: 'wh_1', state: 'pending' }),
  );
  const client = connectHttp({ url: receiver.url, apiKey: 'a-key-of-the-test' });
  await client.enqueue(WEBHOOK);
  await client.find('wh/1');
  await client.close();
  const [post, get] = receiver.ledger.map(({ request }) => request);
  expect(post).toMatchObject({
    method: 'POST',
    path: '/v1/webhooks',
    headers: { authorization: 'Bearer a-key-of-the-test', 'content-type': 'application/json' },
  });
  expect(get).toMatchObject({
    method: 'GET',
    path: '/v1/webhooks/wh%2F1',
    headers: { authorization: 'Bearer a-key-of-the-test' },
  });
  expect(get?.headers).not.toHaveProperty('content-type');
});

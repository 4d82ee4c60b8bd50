/** Over HTTP: what can't be used is refused at once, without its secrets, and so is what is no answer of hookfleet's. Takes about 1 s. */
import { afterEach, expect, test } from '@jest/globals';
import { type Answer, type Receiver, startReceiver } from '@hookfleet/testkit';
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

/** A call that may be sent again: with an idempotency key nothing is enqueued twice. Takes about 2 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTcpProxy, startTestRedis } from '@hookfleet/testkit';
import { fieldsOf, type ProducerUnderTest, setupProducer, webhook } from './setup-producer.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;
let keys = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  producer = await setupProducer(redis.url);
});

afterAll(async () => {
  await producer.close();
  await redis.stop();
});

function newKey(): string {
  keys += 1;
  return `order-${keys}`;
}

test('a repeated key gets the first id, and enqueues nothing', async () => {
  const idempotencyKey = newKey();
  const first = await producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey }));
  const jobs = await producer.jobs();
  const second = await producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey, payload: 'another' }));
  expect(second.status).toBe(202);
  expect(second.json).toEqual(first.json);
  expect(await producer.jobs()).toBe(jobs);
});

test('a key belongs to its campaign', async () => {
  const idempotencyKey = newKey();
  const first = await producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey }));
  const other = await producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey, campaignId: 'other' }));
  expect(other.json.id).not.toBe(first.json.id);
});

test('within a bulk call, and across calls, a key stands for one webhook', async () => {
  const [a, b, c] = [newKey(), newKey(), newKey()];
  const first = await producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey: a }));
  const { json } = await producer.call('POST', '/v1/webhooks/bulk', {
    webhooks: [a, b, b, c].map((idempotencyKey) => webhook({ idempotencyKey })),
  });
  expect(json.ids[0]).toBe(first.json.id);
  expect(json.ids[1]).toBe(json.ids[2]);
  expect(new Set(json.ids).size).toBe(3);
  const again = await producer.call('POST', '/v1/webhooks/bulk', {
    webhooks: [c, a, b].map((idempotencyKey) => webhook({ idempotencyKey })),
  });
  expect(again.json.ids).toEqual([json.ids[3], json.ids[0], json.ids[1]]);
});

test('an Idempotency-Key is the key of a webhook that has none, with its place where there are several', async () => {
  const post = async (body: unknown, key: string, path = '/v1/webhooks') => {
    const answer = await producer.call('POST', path, body, { 'idempotency-key': key });
    expect(answer.status).toBe(202);
    return answer.json;
  };
  const [key, own] = [newKey(), newKey()];
  const { id } = await post(webhook(), key);
  expect(await post(webhook(), `"${key}"`)).toEqual({ id });
  expect(await post(webhook({ idempotencyKey: key }), newKey())).toEqual({ id });
  expect(await post(webhook({ idempotencyKey: own }), key)).not.toEqual({ id });

  const webhooks = [webhook(), webhook({ idempotencyKey: own }), webhook()];
  const first = await post({ webhooks }, key, '/v1/webhooks/bulk');
  expect(new Set(first.ids).size).toBe(3);
  expect(await post({ webhooks }, key, '/v1/webhooks/bulk')).toEqual(first);
  expect((await producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey: `${key}/2` }))).json.id).toBe(
    first.ids[2],
  );
});

test('an Idempotency-Key that is no key is refused as the field that it stands for', async () => {
  for (const key of ['', 'x'.repeat(257)]) {
    const refused = await producer.call('POST', '/v1/webhooks', webhook(), { 'idempotency-key': key });
    expect([refused.status, fieldsOf(refused)]).toEqual([400, ['idempotencyKey']]);
  }
});

test('calls with one key that come at once all get one id', async () => {
  const idempotencyKey = newKey();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => producer.call('POST', '/v1/webhooks', webhook({ idempotencyKey }))),
  );
  expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1);
});

test.each(['reserveWebhookIds', 'addJob', 'commitWebhookIds'])(
  'a call whose reply of %s was lost may be sent again, under the same id',
  async (step) => {
    const proxy = await startTcpProxy(redis);
    const own = await setupProducer(`redis://127.0.0.1:${proxy.port}`, { prefix: `lost-${step}` });
    // Before each of a call's three writes there is a text in its command that the others don't have.
    const texts = {
      reserveWebhookIds: ':idempotency:',
      addJob: ':webhooks:',
      commitWebhookIds: ':idempotency:',
    };
    const idempotencyKey = newKey();
    let matches = 0;
    const wanted = step === 'commitWebhookIds' ? 2 : 1;
    const text = texts[step as keyof typeof texts];
    proxy.onRequest((piece) => {
      if (piece.includes(text)) {
        matches += 1;
        if (matches === wanted) void proxy.loseReplyAfter(text);
      }
      return true;
    });
    const lost = await own.call('POST', '/v1/webhooks', webhook({ idempotencyKey }));
    expect(lost.status).toBe(503);
    proxy.onRequest(undefined);
    let again = await own.call('POST', '/v1/webhooks', webhook({ idempotencyKey }));
    for (; again.status === 503; again = await own.call('POST', '/v1/webhooks', webhook({ idempotencyKey })));
    expect(again.status).toBe(202);
    const once = await own.call('POST', '/v1/webhooks', webhook({ idempotencyKey }));
    expect(once.json).toEqual(again.json);
    await own.close();
    await proxy.close();
  },
);

/** Event types: activated, read, listed, changed, deactivated; every producer knows of it within seconds. Takes about 4 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openEventTypes } from '@hookfleet/queue';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { fieldsOf, type ProducerUnderTest, setupProducer } from './setup-producer.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;
let other: ProducerUnderTest;

beforeAll(async () => {
  redis = await startTestRedis();
  [producer, other] = await Promise.all([setupProducer(redis.url), setupProducer(redis.url)]);
});

afterAll(async () => {
  await other.close();
  await producer.close();
  await redis.stop();
});

const put = (name: string, type: unknown) => producer.call('PUT', `/v1/event-types/${name}`, type);

const NESTED = {
  properties: {
    price: 'FLOAT',
    paidAt: { type: 'DATETIME' },
    anything: 'ARRAY',
    articles: {
      type: 'ARRAY',
      items: { type: 'OBJECT', properties: { sku: 'STRING', sizes: { type: 'ARRAY', items: 'INTEGER' } } },
    },
    'größe-1': 'STRING',
  },
  strict: true,
};

test('an event is activated, read as it was written, changed, listed and deactivated', async () => {
  const created = await put('shop.order', NESTED);
  expect(created).toMatchObject({ status: 201, json: { name: 'shop.order', ...NESTED } });
  const read = await other.call('GET', '/v1/event-types/shop.order');
  expect(read.json).toEqual(created.json);
  const changed = await put('shop.order', {});
  expect(changed).toMatchObject({ status: 200, json: { properties: {}, strict: false } });
  expect(changed.json.activatedAt).toBe(created.json.activatedAt);
  expect((await other.call('GET', '/v1/event-types')).json).toEqual({ eventTypes: [changed.json] });
  expect((await producer.call('DELETE', '/v1/event-types/shop.order')).status).toBe(204);
  for (const method of ['GET', 'DELETE'])
    expect((await producer.call(method, '/v1/event-types/shop.order')).status).toBe(404);
  expect((await other.call('GET', '/v1/event-types')).json).toEqual({ eventTypes: [] });
});

test('a change at one producer is the rule at every other within seconds', async () => {
  const send = (properties: object) =>
    other.call('POST', '/v1/events', { campaignId: 'c', event: 'shop.paid', properties });
  const within = { timeoutMs: 3_000 };
  expect((await send({})).status).toBe(400);
  await put('shop.paid', { properties: { price: 'FLOAT' } });
  // A new event is known at once: nobody is refused for what they have just activated.
  expect((await send({ price: 1.5 })).status).toBe(202);
  await put('shop.paid', { properties: { price: 'STRING' } });
  await eventually(
    async () => expect(fieldsOf(await send({ price: 1.5 }))).toEqual(['properties.price']),
    within,
  );
  expect((await send({ price: '1.5', colour: 'red' })).json).toEqual({
    accepted: 1,
    ignored: ['properties.colour'],
  });
  await put('shop.paid', { properties: { price: 'STRING' }, strict: true });
  await eventually(async () => expect((await send({ price: '', colour: 'red' })).status).toBe(400), within);
  await producer.call('DELETE', '/v1/event-types/shop.paid');
  await eventually(async () => expect(fieldsOf(await send({ price: '' }))).toEqual(['event']), within);
});

test.each<[string, string, unknown, string]>([
  ["a name of hookfleet's own", 'webhook.read', {}, 'name'],
  ["a name of hookfleet's own, of campaigns", 'campaign.opened', {}, 'name'],
  ['a name with a colon', 'shop:order', {}, 'name'],
  ['a name of 101 characters', 'x'.repeat(101), {}, 'name'],
  ['an unknown type', 'a', { properties: { price: 'DECIMAL' } }, 'properties.price'],
  ['a type in small letters', 'a', { properties: { price: 'float' } }, 'properties.price'],
  ['a type that is none', 'a', { properties: { price: 7 } }, 'properties.price'],
  ['a description without a type', 'a', { properties: { price: {} } }, 'properties.price.type'],
  [
    'entries of a text',
    'a',
    { properties: { p: { type: 'STRING', items: 'STRING' } } },
    'properties.p.items',
  ],
  [
    'fields of an array',
    'a',
    { properties: { p: { type: 'ARRAY', properties: {} } } },
    'properties.p.properties',
  ],
  [
    'entries of an unknown type',
    'a',
    { properties: { p: { type: 'ARRAY', items: 'X' } } },
    'properties.p.items',
  ],
  ['a property with a space', 'a', { properties: { 'a b': 'STRING' } }, 'properties.a b'],
  ['__proto__ as a property', 'a', '{"properties":{"__proto__":"STRING"}}', 'properties.__proto__'],
  ['a strictness that is none', 'a', { strict: 'yes' }, 'strict'],
  ['an unknown field', 'a', { propertys: {} }, 'propertys'],
])('an event type with %s is refused, and the field named', async (_what, name, body, field) => {
  const refused = await put(encodeURIComponent(name), body);
  expect(refused.status).toBe(400);
  expect(fieldsOf(refused)).toEqual([field]);
});

test('more events than the bound are refused, and a change of one that is there is not', async () => {
  const store = openEventTypes({ connection: producer.connection, prefix: 'test' });
  await producer.connection.hset(
    '{test}:event-types',
    Object.fromEntries(
      Array.from({ length: 1_000 }, (_, i) => [`bulk.${i}`, JSON.stringify({ activatedAtMs: 0 })]),
    ),
  );
  expect(await store.put('one.more', {})).toBe('full');
  expect((await put('one.more', {})).status).toBe(409);
  expect((await put('bulk.7', { strict: true })).status).toBe(200);
});

/** Custom events over HTTP: activated, taken, refused with each field at fault, all of a call or none. Takes about 3 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { BULK_EVENTS_MAX, type ReportedEvent } from '@hookfleet/contract';
import { consumeResults } from '@hookfleet/queue';
import { eventually, parsePrometheus, sampleValue, startTestRedis } from '@hookfleet/testkit';
import { fieldsOf, type ProducerUnderTest, setupProducer } from './setup-producer.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;
let other: ProducerUnderTest;
let results: ReturnType<typeof consumeResults>;
const reported: ReportedEvent[] = [];

const TYPE = {
  properties: {
    price: 'FLOAT',
    articles: 'INTEGER',
    paidAt: 'DATETIME',
    tags: { type: 'ARRAY', items: 'STRING' },
  },
};

beforeAll(async () => {
  redis = await startTestRedis();
  [producer, other] = await Promise.all([setupProducer(redis.url), setupProducer(redis.url)]);
  results = consumeResults({
    connection: producer.connection,
    prefix: 'test',
    shards: 1,
    concurrency: 1,
    lockDurationMs: 30_000,
    stalledIntervalMs: 30_000,
    apply: async ({ events = [] }) => void reported.push(...events),
    onError: () => undefined,
  });
  for (const name of ['shop.order', 'whatsapp.xxx']) {
    expect((await producer.call('PUT', `/v1/event-types/${name}`, TYPE)).status).toBe(201);
  }
});

afterAll(async () => {
  await results.stop();
  await other.close();
  await producer.close();
  await redis.stop();
});

const order = (changes: Record<string, unknown> = {}) => ({
  campaignId: 'spring-sale',
  event: 'shop.order',
  properties: { price: 9.5 },
  ...changes,
});

const send = (body: unknown, to = producer) => to.call('POST', '/v1/events', body);
const reportedBy = (campaignId: string) => reported.filter((event) => event.campaignId === campaignId);

test("the seed's example is taken once its event is activated, and its channel's number is read as text", async () => {
  const answer = await send({
    campaignId: 'seed',
    campaignExternalReferenceId: 'ext-seed',
    messageId: 'welcome',
    channelConfigExternalReferenceId: 'wa-1',
    channelConfigId: 31,
    event: 'whatsapp.xxx',
    properties: { price: 12.25, tags: ['a'] },
  });
  expect(answer).toMatchObject({ status: 202, json: { accepted: 1, ignored: [] } });
  await eventually(() =>
    expect(reportedBy('seed')).toMatchObject([
      { event: 'whatsapp.xxx', messageId: 'welcome', channelConfigId: '31', numbers: { price: 12.25 } },
    ]),
  );
});

test('one, an array and an object of events are taken, with a time of their own or the time of the call', async () => {
  const occurredAt = '2026-11-20T10:00:00.000Z';
  const before = Date.now();
  const forms = [
    order({ campaignId: 'forms', id: 'a', occurredAt }),
    [order({ campaignId: 'forms' }), order({ campaignId: 'forms' })],
    { events: [order({ campaignId: 'forms', properties: undefined })] },
  ];
  const accepted = [];
  for (const form of forms) accepted.push((await send(form)).json.accepted);
  expect(accepted).toEqual([1, 2, 1]);
  await eventually(() => expect(reportedBy('forms')).toHaveLength(4));
  const [first, ...rest] = reportedBy('forms');
  expect(first).toMatchObject({ id: 'a', occurredAt: Date.parse(occurredAt) });
  for (const event of rest) {
    expect(event.occurredAt).toBeGreaterThanOrEqual(before);
    expect(event.occurredAt).toBeLessThanOrEqual(Date.now());
  }
  // Without an id each has a mark of its own, or a results job that runs twice would count it twice.
  expect(new Set(rest.map(({ mark }) => `${mark?.run} ${mark?.position}`)).size).toBe(3);
});

test('an Idempotency-Key is the id of an event that has none, with its place where there are several', async () => {
  const key = { 'idempotency-key': 'call-1' };
  const own = order({ campaignId: 'keyed', id: 'own' });
  for (const body of [own, order({ campaignId: 'keyed' }), [own, order({ campaignId: 'keyed' })]])
    expect((await producer.call('POST', '/v1/events', body, key)).status).toBe(202);
  await eventually(() =>
    expect(reportedBy('keyed').map(({ id }) => id)).toEqual(['own', 'call-1', 'own', 'call-1/1']),
  );
});

test('a thousand events are taken in a call, and one more is refused', async () => {
  const events = Array.from({ length: BULK_EVENTS_MAX }, () => order({ campaignId: 'many' }));
  expect((await send(events)).json).toEqual({ accepted: BULK_EVENTS_MAX, ignored: [] });
  const refused = await send({ events: [...events, order()] });
  expect(refused.status).toBe(400);
  expect(refused.json.errors).toMatchObject([{ field: 'events', type: 'TOO_LONG' }]);
});

test('properties that are not activated are left out and named, each once for its type', async () => {
  const single = await send(order({ properties: { price: 1, colour: 'red', size: 3 } }));
  expect(single.json).toEqual({ accepted: 1, ignored: ['properties.colour', 'properties.size'] });
  const bulk = await send([
    order(),
    order({ properties: { colour: 'red' } }),
    order({ properties: { colour: 'blue' } }),
    order({ event: 'whatsapp.xxx', properties: { colour: 'red' } }),
  ]);
  expect(bulk.json).toEqual({
    accepted: 4,
    ignored: ['events[1].properties.colour', 'events[3].properties.colour'],
  });
});

test('a strict event is refused with such a property', async () => {
  await producer.call('PUT', '/v1/event-types/shop.strict', { ...TYPE, strict: true });
  const refused = await send(order({ event: 'shop.strict', properties: { price: 1, colour: 'red' } }));
  expect(refused.status).toBe(400);
  expect(refused.json.errors).toMatchObject([{ field: 'properties.colour', type: 'UNKNOWN_FIELD' }]);
  expect((await send(order({ event: 'shop.strict' }))).status).toBe(202);
});

test('an event that is not activated is refused, and told how to activate it', async () => {
  const refused = await send(order({ event: 'shop.unheard' }));
  expect(refused.status).toBe(400);
  expect(refused.headers.get('content-type')).toContain('application/problem+json');
  expect(refused.json.errors).toMatchObject([{ field: 'event', type: 'UNKNOWN_VALUE' }]);
  expect(refused.json.errors[0].detail).toContain('PUT /v1/event-types/shop.unheard');
});

test('a call with bad events names each field at fault, and none of it is taken', async () => {
  const refused = await send([
    order({ campaignId: 'half' }),
    order({ campaignId: 'half', properties: { price: '9.50', articles: 1.5, paidAt: 'today' } }),
    order({ campaignId: 'half', messageId: {} }),
    order({ campaignId: 'half', event: 'shop.unheard' }),
  ]);
  expect(refused.status).toBe(400);
  expect(
    refused.json.errors.map(({ field, type }: { field: string; type: string }) => `${field} ${type}`),
  ).toEqual([
    'events[1].properties.price WRONG_TYPE',
    'events[1].properties.articles WRONG_TYPE',
    'events[1].properties.paidAt WRONG_TYPE',
    'events[2].messageId WRONG_TYPE',
    'events[3].event UNKNOWN_VALUE',
  ]);
  // Whatever it had enqueued would be there before what comes after it.
  await send(order({ campaignId: 'afterwards' }));
  await eventually(() => expect(reportedBy('afterwards')).toHaveLength(1));
  expect(reportedBy('half')).toEqual([]);
});

test.each<[string, unknown, string]>([
  ['no campaign', order({ campaignId: undefined }), 'campaignId'],
  ['an empty campaign', order({ campaignId: '' }), 'campaignId'],
  [
    'a campaign reference with a space',
    order({ campaignExternalReferenceId: 'a b' }),
    'campaignExternalReferenceId',
  ],
  ['no event', order({ event: undefined }), 'event'],
  ['an event that is a number', order({ event: 7 }), 'event'],
  ["an event of hookfleet's own", order({ event: 'webhook.delivered' }), 'event'],
  ['an event called __proto__', order({ event: '__proto__' }), 'event'],
  ['properties that are a list', order({ properties: [] }), 'properties'],
  [
    'a number beyond what JSON can hold',
    `{"campaignId":"c","event":"shop.order","properties":{"price":1e400}}`,
    'properties.price',
  ],
  ['a number that has lost digits', order({ properties: { articles: 2 ** 60 } }), 'properties.articles'],
  ['an empty id', order({ id: '' }), 'id'],
  ['an id that is too long', order({ id: 'x'.repeat(257) }), 'id'],
  ['a time that is none', order({ occurredAt: 'yesterday' }), 'occurredAt'],
  [
    'a time two days ahead',
    order({ occurredAt: new Date(Date.now() + 2 * 86_400_000).toISOString() }),
    'occurredAt',
  ],
  ['an unknown field', order({ campaign: 'x' }), 'campaign'],
  [
    'a campaign reference that nobody has told',
    order({ campaignId: undefined, campaignExternalReferenceId: 'nowhere' }),
    'campaignExternalReferenceId',
  ],
  [
    'a channel reference that no channel has',
    order({ channelConfigExternalReferenceId: 'nowhere' }),
    'channelConfigExternalReferenceId',
  ],
  ['an empty list', [], 'events'],
  ['events that are no list', { events: order() }, 'events'],
  ['something beside the events', { events: [order()], campaignId: 'c' }, 'campaignId'],
  ['an entry that is no event', [null], 'events[0]'],
])('an event with %s is refused, and the field named', async (_what, body, field) => {
  const refused = await send(body);
  expect(refused.status).toBe(400);
  expect(fieldsOf(refused)).toEqual([field]);
});

test('a campaign is named by its reference once an event had both, at every producer; the latest word stands', async () => {
  const byReference = (to: ProducerUnderTest) =>
    send(order({ campaignId: undefined, campaignExternalReferenceId: 'ref-7' }), to);
  expect((await byReference(producer)).status).toBe(400);
  await send(order({ campaignId: 'first-7', campaignExternalReferenceId: 'ref-7' }));
  expect((await byReference(other)).status).toBe(202);
  await eventually(() => expect(reportedBy('first-7')).toHaveLength(2));
  // Also within one call, in its order.
  const told = (campaignId: string | undefined) =>
    order({ campaignId, campaignExternalReferenceId: 'ref-7' });
  await send([undefined, 'second-7', undefined, 'third-7', undefined, 'second-7', undefined].map(told));
  await eventually(() => expect(reportedBy('second-7')).toHaveLength(4));
  expect(reportedBy('third-7')).toHaveLength(2);
  expect(reportedBy('first-7')).toHaveLength(3);
  await eventually(async () => {
    const before = reportedBy('second-7').length;
    await byReference(other);
    await eventually(() => expect(reportedBy('second-7').length).toBeGreaterThan(before), { timeoutMs: 200 });
  });
});

test('a reference that is told here, then elsewhere, then here again stands for what was told last', async () => {
  const tell = (campaignId: string, to: ProducerUnderTest) =>
    send(order({ campaignId, campaignExternalReferenceId: 'ref-8' }), to);
  await tell('first-8', producer);
  await tell('second-8', other);
  await tell('first-8', producer);
  expect(await producer.connection.get('{test}:reference:ref-8')).toBe('first-8');
});

test('a reference that is new is told by any event of its call', async () => {
  const both = [undefined, 'new-9'].map((campaignId) =>
    order({ campaignId, campaignExternalReferenceId: 'ref-9' }),
  );
  expect((await send(both)).status).toBe(202);
  await eventually(() => expect(reportedBy('new-9')).toHaveLength(2));
});

test("a channel is named by its external reference; a reference beside an id doesn't matter", async () => {
  const channel = { url: 'https://example.com/hook', externalReferenceId: 'crm-ext' };
  expect((await producer.call('PUT', '/v1/channels/crm', channel)).status).toBe(201);
  const event = order({ campaignId: 'by-channel', channelConfigExternalReferenceId: 'crm-ext' });
  await eventually(async () => expect((await send(event)).status).toBe(202));
  await send({ ...event, channelConfigId: 'erp' });
  await eventually(() =>
    expect(reportedBy('by-channel').map(({ channelConfigId }) => channelConfigId)).toEqual(['crm', 'erp']),
  );
});

test('events are counted for Prometheus by name, and the label goes when the event is deactivated', async () => {
  await producer.call('PUT', '/v1/event-types/shop.brief', {});
  await send([order({ event: 'shop.brief', properties: {} }), order({ event: 'shop.brief' })]);
  const received = async () => {
    const families = parsePrometheus(await (await fetch(`${producer.url}/metrics`)).text());
    return sampleValue(families, 'hookfleet_events_received_total', { event: 'shop.brief' });
  };
  expect(await received()).toBe(2);
  expect((await producer.call('DELETE', '/v1/event-types/shop.brief')).status).toBe(204);
  await expect(received()).rejects.toThrow('shop.brief');
});

test.each<[what: string, body: string | Buffer, fields: string[]]>([
  [
    'an integer beyond 2^53',
    '{"campaignId":"c","event":"shop.order","properties":{"price":9007199254740993}}',
    ['properties.price'],
  ],
  [
    'an infinity',
    '{"campaignId":"c","event":"shop.order","properties":{"price":1e400}}',
    ['properties.price'],
  ],
  [
    'a fraction that becomes whole',
    '[{"campaignId":"c","event":"shop.order","properties":{"price":1.00000000000000000001}}]',
    ['events[0].properties.price'],
  ],
  [
    'such a number where nothing is activated',
    '{"events":[{"campaignId":"c","event":"shop.order","properties":{"x":[{"y":-1e999}]}}]}',
    ['events[0].properties.x[0].y'],
  ],
  [
    'an id that is such a number',
    '{"campaignId":9007199254740993,"messageId":1e-400,"id":12345678901234567890,"event":"shop.order"}',
    ['campaignId', 'messageId', 'id'],
  ],
  ['bytes that are no UTF-8', Buffer.from('{"campaignId":"\xff","event":"shop.order"}', 'latin1'), ['']],
  [
    'nesting without end',
    `{"campaignId":"c","event":"shop.order","properties":{"x":${'['.repeat(100)}${']'.repeat(100)}}}`,
    [''],
  ],
])('%s is refused, and the field named', async (_what, body, fields) => {
  const response = await fetch(`${producer.url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(body),
  });
  expect(response.status).toBe(400);
  const { errors } = (await response.json()) as { errors: { field: string; type: string }[] };
  expect(errors.map(({ field }) => field)).toEqual(fields);
  for (const { type } of errors) expect(type).toBe('INVALID_VALUE');
});

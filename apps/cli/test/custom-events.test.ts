/** Custom events through the real processes: two producers, two aggregators, one count. Takes about 4 s. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { type ProcessUnderTest, startApplication, totalsOf } from './fleet-under-test.ts';

jest.setTimeout(120_000);

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producers: ProcessUnderTest[];
let aggregators: ProcessUnderTest[];

beforeAll(async () => {
  redis = await startTestRedis();
  const sharded = { HOOKFLEET_SHARDS: '2' };
  const start = (application: 'producer' | 'aggregator') => startApplication(application, redis.url, sharded);
  producers = await Promise.all([start('producer'), start('producer')]);
  aggregators = await Promise.all([start('aggregator'), start('aggregator')]);
});

afterAll(async () => {
  await Promise.all([...producers, ...aggregators].map((one) => one.stop()));
  await redis.stop();
});

async function call(at: number, method: string, path: string, body: unknown): Promise<Response> {
  return fetch(`${producers[at % 2]?.url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

const totals = (campaignId: string) => totalsOf(aggregators[0] as ProcessUnderTest, campaignId);

test('events reported again and again at several producers are counted once, with their numbers, beside each other', async () => {
  const type = { properties: { price: 'FLOAT', articles: 'INTEGER', note: 'STRING' } };
  for (const name of ['whatsapp.read', 'shop.order'])
    expect((await call(0, 'PUT', `/v1/event-types/${name}`, type)).status).toBe(201);
  const occurredAt = new Date(Date.now() - 3_600_000).toISOString();
  const events = Array.from({ length: 300 }, (_, i) => ({
    campaignId: 'spring-sale',
    messageId: 'welcome',
    event: i % 3 === 0 ? 'shop.order' : 'whatsapp.read',
    id: `order-${i}`,
    occurredAt,
    properties: i % 3 === 0 ? { price: i / 10, articles: 2, note: 'by bike' } : {},
  }));
  // Each four times, in calls that overlap: as a caller does whose answers were lost.
  const answers = await Promise.all(
    [0, 1, 2, 3].flatMap((turn) => [
      call(turn, 'POST', '/v1/events', events.slice(0, 200)),
      call(turn + 1, 'POST', '/v1/events', { events: events.slice(100) }),
    ]),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 202));
  // And some without an id: each of them counts.
  const [, ...others] = events.map(({ id: _id, ...event }) => event);
  await call(0, 'POST', '/v1/events', others.slice(0, 10));

  const orders = events.filter(({ event }) => event === 'shop.order').length;
  const withoutId = others.slice(0, 10).filter(({ event }) => event === 'shop.order');
  const cents = [...events.filter(({ event }) => event === 'shop.order'), ...withoutId].reduce(
    (sum, { properties }) => sum + Math.round((properties.price ?? 0) * 100),
    0,
  );
  await eventually(async () => {
    const { events: counted, properties } = await totals('spring-sale');
    expect(counted).toEqual({
      'shop.order': orders + withoutId.length,
      'whatsapp.read': events.length - orders + 10 - withoutId.length,
    });
    expect(Object.keys(properties ?? {})).toEqual(['shop.order']);
    expect(properties?.['shop.order']?.['price']).toMatchObject({
      count: orders + withoutId.length,
      sum: cents / 100,
      min: 0,
      max: 29.7,
    });
    expect(properties?.['shop.order']?.['articles']).toMatchObject({ average: 2, min: 2, max: 2 });
  });

  const from = new Date(Math.floor(Date.parse(occurredAt) / 60_000) * 60_000).toISOString();
  const series = await fetch(
    `${aggregators[1]?.url}/v1/campaigns/spring-sale/series?step=minute&from=${from}&to=${new Date(Date.parse(from) + 60_000).toISOString()}`,
  );
  const { points } = (await series.json()) as { points: { counts: Record<string, number> }[] };
  expect(points.map(({ counts }) => counts)).toEqual([(await totals('spring-sale')).events]);
});

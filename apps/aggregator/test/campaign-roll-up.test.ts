/**
 * What /metrics tells of campaigns: never less than before, whichever campaigns are told apart, by however many
 * aggregators, with restarts and changed bounds in between; each event in one series for good.
 * Takes about 3 s.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connectRedis, disconnectRedis, type RedisConnection } from '@hookfleet/queue';
import { createMetricsRegistry } from '@hookfleet/runtime';
import { parsePrometheus, sampleValue, startTestRedis } from '@hookfleet/testkit';
import fc from 'fast-check';
import { campaignKeys, campaignsKey } from '../src/campaign-keys.ts';
import { type CampaignEvents, createCampaignRollUp, OTHER_CAMPAIGNS } from '../src/campaign-roll-up.ts';
import { createAggregatorMetrics } from '../src/metrics.ts';
import { range } from './results-of.ts';

const HOUR_MS = 3_600_000;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let connection: RedisConnection;

beforeAll(async () => {
  redis = await startTestRedis();
  connection = connectRedis({ url: redis.url, name: 'test', temper: 'patient', onError: () => undefined });
});

afterAll(async () => {
  disconnectRedis(connection);
  await redis.stop();
});

function setup() {
  const prefix = `test-${randomUUID()}`;
  let nowMs = Date.now();
  return {
    pass(ms: number) {
      nowMs += ms;
    },
    async count(campaignId: string, event: string, count: number) {
      await connection.zadd(campaignsKey(prefix), 'GT', nowMs, campaignId);
      await connection.hincrby(campaignKeys(prefix, campaignId).totals, `e:${event}`, count);
    },
    shownInOrder: () => connection.zrange(`{${prefix}}:metrics:shown`, 0, '-1'),
    activeInOrder: () => connection.zrange(campaignsKey(prefix), 0, '-1'),
    /** As a process that has just started, whose turn it is. */
    async rollUp(campaignsMax: number, atOnce = 1): Promise<CampaignEvents[]> {
      const start = () =>
        createCampaignRollUp({ connection, prefix, campaignsMax, retentionMs: 1e12, now: () => nowMs });
      const rolling: Promise<void>[] = [];
      for (const aggregator of range(0, atOnce).map(start)) {
        await connection.del(`{${prefix}}:metrics:turn`);
        rolling.push(aggregator.rollUp());
      }
      await Promise.all(rolling);
      return start().read();
    },
  };
}

const stepArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      campaign: fc.constantFrom('a', 'b', 'c', 'd', 'e', OTHER_CAMPAIGNS),
      event: fc.constantFrom('webhook.delivered', 'whatsapp.read'),
      count: fc.integer({ min: 1, max: 1_000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      campaignsMax: fc.constantFrom(2, 2, 2, 0, 1, 4),
      atOnce: fc.integer({ min: 1, max: 3 }),
      passMs: fc.integer({ min: 0, max: 5 * HOUR_MS }),
    }),
  },
);

test('no series ever goes down, and each event raises one of them for good', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { minLength: 5, maxLength: 40 }), async (steps) => {
      const { count, rollUp, pass, shownInOrder, activeInOrder } = setup();
      const highest = new Map<string, number>();
      const totals = new Map<string, number>();
      const rolledUp = new Map<string, number>();
      const rest = new Map<string, number>();
      for (const step of steps) {
        if ('campaign' in step) {
          const { campaign, event } = step;
          await count(campaign, event, step.count);
          totals.set(`${campaign} ${event}`, (totals.get(`${campaign} ${event}`) ?? 0) + step.count);
          continue;
        }
        pass(step.passMs);
        // The weakest first: a smaller bound takes them out before anything is added.
        const before = await shownInOrder();
        const shown = new Set(step.campaignsMax === 0 ? [] : before.slice(-step.campaignsMax));
        const read = await rollUp(step.campaignsMax, step.atOnce);
        // What has grown belongs to its campaign where that was shown before or finds room, or else to the others.
        let room = step.campaignsMax - shown.size;
        for (const campaign of await activeInOrder()) {
          const grown = [...totals].filter(
            ([name, total]) => name.startsWith(`${campaign} `) && total > (rolledUp.get(name) ?? 0),
          );
          const findsRoom = !shown.has(campaign) && room > 0 && campaign !== OTHER_CAMPAIGNS;
          if (grown.length > 0 && findsRoom) room -= 1;
          for (const [name, total] of grown) {
            const [, event = ''] = name.split(' ');
            const growth = total - (rolledUp.get(name) ?? 0);
            rolledUp.set(name, total);
            if (!shown.has(campaign) && !findsRoom) rest.set(event, (rest.get(event) ?? 0) + growth);
          }
        }
        const told = read.filter(({ campaignId }) => campaignId !== OTHER_CAMPAIGNS);
        expect(told.length).toBeLessThanOrEqual(step.campaignsMax);
        expect(read.length - told.length).toBe(1);
        for (const { campaignId, events } of told) {
          for (const [event, counted] of Object.entries(events))
            expect(counted).toBe(totals.get(`${campaignId} ${event}`));
        }
        const others = read.find(({ campaignId }) => campaignId === OTHER_CAMPAIGNS)?.events ?? {};
        expect(others).toEqual(Object.fromEntries([...rest].filter(([, counted]) => counted > 0)));
        for (const { campaignId, events } of read) {
          for (const [event, counted] of Object.entries(events)) {
            const name = `${campaignId} ${event}`;
            expect(counted).toBeGreaterThanOrEqual(highest.get(name) ?? 0);
            highest.set(name, counted);
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('the most active campaigns are told apart; one that is quiet makes room, one that is as active does not', async () => {
  const { count, rollUp, pass } = setup();
  const toldApart = async () => (await rollUp(2)).map(({ campaignId }) => campaignId).sort();
  await count('a', 'x', 100);
  await count('b', 'x', 100);
  expect(await toldApart()).toEqual(['a', 'b', 'other']);
  await count('c', 'x', 150);
  expect(await toldApart()).toEqual(['a', 'b', 'other']);
  // Five hours later what was is worth a thirty-second of it.
  pass(5 * HOUR_MS);
  await count('a', 'x', 1);
  await count('c', 'x', 20);
  expect(await toldApart()).toEqual(['a', 'c', 'other'].sort());
});

test('only the aggregator whose turn it is rolls up', async () => {
  const prefix = `test-${randomUUID()}`;
  const options = { connection, prefix, campaignsMax: 1, retentionMs: 1e12, now: Date.now };
  await connection.zadd(campaignsKey(prefix), Date.now(), 'a');
  await connection.hincrby(campaignKeys(prefix, 'a').totals, 'e:x', 1);
  await createCampaignRollUp(options).rollUp();
  await connection.hincrby(campaignKeys(prefix, 'a').totals, 'e:x', 1);
  const other = createCampaignRollUp(options);
  await other.rollUp();
  expect(await other.read()).toContainEqual({ campaignId: 'a', events: { x: 1 } });
});

const POISON = ['', 'planted-secret', '{"planted-secret":', 'null', '[1]', '1', '{"x":"planted-secret"}'];

test('what cannot be read is passed over or replaced, reported once, and stops no roll-up', async () => {
  const prefix = `test-${randomUUID()}`;
  const keyOf = (name: string) => `{${prefix}}:metrics:${name}`;
  const told: string[] = [];
  const campaigns = createCampaignRollUp({
    connection,
    prefix,
    campaignsMax: 100,
    retentionMs: 1e12,
    now: Date.now,
    onUnreadable: (error, { field }) => void told.push(`${error.message} ${String(field)}`),
  });
  async function rollUp(): Promise<Map<string, CampaignEvents['events']>> {
    await connection.del(keyOf('turn'));
    await campaigns.rollUp();
    return new Map((await campaigns.read()).map(({ campaignId, events }) => [campaignId, events]));
  }
  const ids = ['good', ...POISON.map((_, i) => `c${i}`)];
  for (const id of ids) {
    await connection.zadd(campaignsKey(prefix), Date.now(), id);
    await connection.hset(campaignKeys(prefix, id).totals, 'e:x', 5, 'e:y', 'planted-secret');
  }
  const all = new Map<string, CampaignEvents['events']>([
    ...ids.map((id) => [id, { x: 5 }] as const),
    ['other', {}],
  ]);
  expect(await rollUp()).toEqual(all);
  expect(told.splice(0)).toHaveLength(ids.length);

  for (const [i, text] of POISON.entries()) await connection.hset(keyOf('seen'), `c${i}`, text);
  const read = new Map((await campaigns.read()).map(({ campaignId, events }) => [campaignId, events]));
  expect([read.get('good'), read.get('c0')]).toEqual([{ x: 5 }, {}]);
  expect(await rollUp()).toEqual(all);
  expect(await rollUp()).toEqual(all);
  expect(told.splice(0).filter((text) => !text.includes('planted-secret'))).toHaveLength(POISON.length);
});

test('when the last roll-up was, and how many events others had, is put right where it cannot be read', async () => {
  const prefix = `test-${randomUUID()}`;
  const keyOf = (name: string) => `{${prefix}}:metrics:${name}`;
  const campaigns = createCampaignRollUp({
    connection,
    prefix,
    campaignsMax: 0,
    retentionMs: 1e12,
    now: Date.now,
  });
  await connection.zadd(campaignsKey(prefix), Date.now(), 'c');
  for (const [i, rolledAt] of ['planted-secret', '', '1e300', 'inf'].entries()) {
    await connection.del(keyOf('turn'));
    await connection.set(keyOf('rolled-at'), rolledAt);
    await connection.hset(keyOf('other'), 'x', 'planted-secret');
    await connection.hset(campaignKeys(prefix, 'c').totals, 'e:x', i + 1);
    await campaigns.rollUp();
    expect(await campaigns.read()).toEqual([{ campaignId: 'other', events: { x: 1 } }]);
  }
});

test('a scrape with 1,000 campaigns reports them all, and the others in one sum', async () => {
  const prefix = `test-${randomUUID()}`;
  const events = ['webhook.delivered', 'webhook.bounced', 'webhook.error', 'whatsapp.read'];
  const counts = events.flatMap((event) => [`e:${event}`, '7']);
  await Promise.all(
    range(0, 1_200).flatMap((i) => [
      connection.zadd(campaignsKey(prefix), Date.now(), `campaign-${i}`),
      connection.hset(campaignKeys(prefix, `campaign-${i}`).totals, ...counts),
    ]),
  );
  const campaigns = createCampaignRollUp({
    connection,
    prefix,
    campaignsMax: 1_000,
    retentionMs: 1e12,
    now: Date.now,
  });
  await campaigns.rollUp();
  const registry = createMetricsRegistry();
  createAggregatorMetrics({
    registry,
    campaigns,
    onError: (error) => {
      throw error;
    },
    now: Date.now,
  });
  const text = await registry.metrics();
  const families = parsePrometheus(text);
  const value = (campaign: string) =>
    sampleValue(families, 'hookfleet_campaign_events_total', {
      campaign_id: campaign,
      event: 'webhook.delivered',
    });
  const told = range(0, 1_200).filter((i) => text.includes(`campaign_id="campaign-${i}",`));
  expect(told.length).toBe(1_000);
  expect(value(`campaign-${told[0]}`)).toBe(7);
  expect(value('other')).toBe(200 * 7);
});

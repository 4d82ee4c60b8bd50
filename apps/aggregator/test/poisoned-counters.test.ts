/**
 * A counter that holds no number, as somebody else wrote it, begins anew, and takes no other with it. Takes about 2 s.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { ReportedEvent } from '@hookfleet/contract';
import { startTestRedis } from '@hookfleet/testkit';
import { createCampaignDirectory } from '../src/campaign-directory.ts';
import { campaignKeys } from '../src/campaign-keys.ts';
import { acceptanceOf, outcomeOf, resultsOf } from './results-of.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

const POISON = ['', 'planted-secret', '1.5', '9223372036854775807', '1e3'];

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let told: string[];

beforeAll(async () => {
  redis = await startTestRedis();
});

beforeEach(() => {
  told = [];
  counting = setupCounting(redis.url, {
    onUnreadable: (error, { field, campaignId }) =>
      void told.push(`${error.message} ${String(field)} ${String(campaignId)}`),
  });
});

afterEach(() => counting.close());

afterAll(() => redis.stop());

test.each(POISON)('outcomes are counted beside %j, and where it stood', async (text) => {
  const { campaignId, prefix, connection, countResults, reader } = counting;
  const deliver = (position: number) =>
    countResults(resultsOf([outcomeOf({ campaignId, position })], [acceptanceOf(campaignId, position, 1)]));
  await deliver(0);
  const { totals } = campaignKeys(prefix, campaignId);
  for (const field of ['e:webhook.delivered', 'm:delivered', 'first', 'last'])
    await connection.hset(totals, field, text);
  expect(await deliver(1)).toEqual({ outcomes: 1, repeats: 0, accepted: 1 });
  expect(await deliver(2)).toEqual({ outcomes: 1, repeats: 0, accepted: 1 });
  expect(await reader.totals(campaignId)).toMatchObject({
    events: { 'webhook.delivered': 2 },
    messages: { accepted: 3, delivered: 2 },
  });
  expect(told).toHaveLength(2);
  for (const line of told) {
    expect(line).toContain(campaignId);
    expect(line).not.toContain('planted-secret');
  }
});

test.each(POISON)('a campaign whose counters hold %j is shown, and hides no other', async (text) => {
  const { campaignId, prefix, connection, countResults, countEvents, reader } = counting;
  await countResults(resultsOf([outcomeOf({ campaignId, position: 0 })], [acceptanceOf(campaignId, 0, 1)]));
  await countEvents([
    { campaignId, event: 'whatsapp.read', id: 'a', occurredAt: Date.now(), numbers: { price: 2.5 } },
  ]);
  const { totals, latency } = campaignKeys(prefix, campaignId);
  for (const key of [totals, latency])
    for (const field of await connection.hkeys(key)) await connection.hset(key, field, text);
  const { campaigns } = await reader.list(0, 100);
  const shown = campaigns.find((campaign) => campaign.totals.campaignId === campaignId);
  expect(JSON.stringify(shown)).not.toMatch(/null|planted-secret/);
  expect(shown?.totals.messages.accepted).toEqual(expect.any(Number));
  const directory = createCampaignDirectory({ connection, prefix, retentionMs: 1e12, now: Date.now });
  const rows = [...(await directory.rows())].filter((row) => row.campaignId === campaignId);
  expect(rows.every(({ counts }) => Object.values(counts).every(Number.isFinite))).toBe(true);
});

test.each(POISON)('custom events and their sums are counted beside %j, and where it stood', async (text) => {
  const { campaignId, prefix, connection, countEvents, reader } = counting;
  const read = (id: string): ReportedEvent => ({
    campaignId,
    event: 'whatsapp.read',
    id,
    occurredAt: Date.now(),
    numbers: { price: 2.5 },
  });
  await countEvents([read('a')]);
  const { totals } = campaignKeys(prefix, campaignId);
  const fields = await connection.hkeys(totals);
  for (const field of fields) await connection.hset(totals, field, text);
  expect(await countEvents([read('b')])).toEqual({ events: 1, repeatedEvents: 0 });
  expect(await reader.totals(campaignId)).toMatchObject({
    events: { 'whatsapp.read': 1 },
    properties: { 'whatsapp.read': { price: { count: 1, sum: 2.5, min: 2.5, max: 2.5 } } },
  });
  expect(told).toHaveLength(2);
});

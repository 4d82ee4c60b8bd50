/**
 * The list of campaigns: searched, sorted, in pages, with spark lines; and kept up with what is counted meanwhile.
 * Takes about 2 s.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import type { FastifyInstance } from 'fastify';
import { acceptanceOf, outcomeOf, range, resultsOf, RUN } from './results-of.ts';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.parse('2026-11-26T12:34:56.789Z');

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let app: FastifyInstance;
let nowMs = START_MS;

beforeAll(async () => {
  redis = await startTestRedis();
  counting = setupCounting(redis.url, { now: () => nowMs });
  app = await setupApp(counting, { now: () => nowMs });
  // Each a minute after the one before, and with one more delivered.
  for (const i of range(1, 5)) {
    nowMs += 60_000;
    const campaignId = `Sale-${i}`;
    await counting.countResults(
      resultsOf(
        [
          ...range(0, i).map((position) =>
            outcomeOf({ campaignId, position, occurredAtMs: nowMs - HOUR_MS }),
          ),
          ...(i === 2 ? [outcomeOf({ campaignId, position: 20, event: 'webhook.error', final: true })] : []),
        ],
        [acceptanceOf(campaignId, 0, 10 - i)],
        i === 3 ? [{ campaignId, run: RUN, from: 20, count: 1 }] : [],
      ),
    );
  }
  await counting.countResults(resultsOf([], [acceptanceOf('welcome', 0, 3)]));
});

afterAll(async () => {
  await app.close();
  counting.close();
  await redis.stop();
});

async function list(query: Record<string, string>) {
  const response = await app.inject({ url: '/v1/campaigns', query });
  expect(response.statusCode).toBe(200);
  return response.json() as {
    total: number;
    cursor?: string;
    campaigns: {
      campaignId: string;
      messages: { delivered: number };
      spark?: { events: Record<string, number[]> };
    }[];
  };
}

const ids = async (query: Record<string, string>) =>
  (await list(query)).campaigns.map(({ campaignId }) => campaignId);

test.each([
  [{ q: 'sale' }, ['Sale-5', 'Sale-4', 'Sale-3', 'Sale-2', 'Sale-1']],
  [{ q: 'E-3' }, ['Sale-3']],
  [{ q: 'winter' }, []],
  [{ sort: 'delivered' }, ['Sale-5', 'Sale-4', 'Sale-3', 'Sale-2', 'Sale-1', 'welcome']],
  [{ sort: 'accepted', q: 'sale' }, ['Sale-1', 'Sale-2', 'Sale-3', 'Sale-4', 'Sale-5']],
  [{ sort: 'pending' }, ['Sale-1', 'Sale-2', 'Sale-3', 'welcome', 'Sale-4', 'Sale-5']],
  [{ sort: 'failed', limit: '2' }, ['Sale-2', 'Sale-1']],
  [{ sort: 'cancelled', limit: '2' }, ['Sale-3', 'Sale-1']],
  [{ sort: 'id' }, ['Sale-1', 'Sale-2', 'Sale-3', 'Sale-4', 'Sale-5', 'welcome']],
  [{ sort: 'delivered', limit: '2', offset: '1' }, ['Sale-4', 'Sale-3']],
  [{ sort: 'id', offset: '10' }, []],
])('%j finds %j', async (query, expected) => {
  expect(await ids(query as Record<string, string>)).toEqual(expected);
});

test('a page knows how many fit on all pages', async () => {
  expect((await list({ q: 'sale', limit: '1' })).total).toBe(5);
  expect((await list({ sort: 'id', limit: '1' })).total).toBe(6);
});

test('by their ids, all are listed page by page, and none twice', async () => {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = await list({ sort: 'id', limit: '4', ...(cursor !== undefined && { cursor }) });
    pages.push(page.campaigns.map(({ campaignId }) => campaignId));
    cursor = page.cursor;
  } while (cursor !== undefined);
  expect(pages).toEqual([
    ['Sale-1', 'Sale-2', 'Sale-3', 'Sale-4'],
    ['Sale-5', 'welcome'],
  ]);
});

test('what is counted after the first question is found by the next', async () => {
  nowMs += 10_000;
  await counting.countResults(
    resultsOf(
      range(10, 20).map((position) => outcomeOf({ campaignId: 'Sale-1', position, occurredAtMs: nowMs })),
    ),
  );
  await counting.countResults(resultsOf([], [acceptanceOf('new-sale', 0, 1)]));
  nowMs += 10_000;
  expect((await ids({ sort: 'delivered' }))[0]).toBe('Sale-1');
  expect(await ids({ q: 'NEW' })).toEqual(['new-sale']);
});

test('a spark line ends with the hour that is under way', async () => {
  const { campaigns } = await list({ q: 'Sale-4', spark: '24h' });
  const delivered = campaigns[0]?.spark?.events['webhook.delivered'] ?? [];
  expect(delivered).toHaveLength(24);
  expect(delivered.slice(-2)).toEqual([4, 0]);
  for (const [span, days] of [
    ['7d', 7],
    ['30d', 30],
  ] as const) {
    const spark = (await list({ q: 'Sale-4', spark: span })).campaigns[0]?.spark;
    expect(spark?.events['webhook.delivered']).toEqual([...range(0, days - 1).map(() => 0), 4]);
  }
});

/** Series over a real Redis: whole steps in any time zone, by event, reason, message and channel. Takes about 2 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startTestRedis } from '@hookfleet/testkit';
import type { FastifyInstance } from 'fastify';
import { GROUPS_MAX } from '../src/series-groups.ts';
import { outcomeOf, range, resultsOf } from './results-of.ts';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

// A Thursday.
const NOW_MS = Date.parse('2026-11-26T12:34:56.789Z');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let app: FastifyInstance;

beforeAll(async () => {
  redis = await startTestRedis();
  counting = setupCounting(redis.url, { now: () => NOW_MS });
  app = await setupApp(counting, { now: () => NOW_MS });
});

afterAll(async () => {
  await app.close();
  counting.close();
  await redis.stop();
});

interface Answer {
  readonly from: string;
  readonly to: string;
  readonly keptFrom?: string;
  readonly exactFrom?: string;
  readonly points: { at: string; counts: Record<string, number>; rates?: Record<string, number | null> }[];
  readonly totals: Record<string, number>;
  readonly rates?: Record<string, number | null>;
  readonly groups?: { name: string; events: Record<string, number>; rates: Record<string, number | null> }[];
  readonly messages: Record<string, number | null>;
}

async function seriesOf(campaignId: string, query: Record<string, string>): Promise<Answer> {
  const response = await app.inject({ url: `/v1/campaigns/${encodeURIComponent(campaignId)}/series`, query });
  expect(response.json()).not.toHaveProperty('errors');
  expect(response.statusCode).toBe(200);
  return response.json() as Answer;
}

/** One delivered webhook at each of the times. */
async function deliverAt(campaignId: string, times: readonly string[]): Promise<void> {
  await counting.countResults(
    resultsOf(times.map((at, position) => outcomeOf({ campaignId, position, occurredAtMs: Date.parse(at) }))),
  );
}

const filled = ({ points }: Answer) =>
  Object.fromEntries(
    points
      .filter(({ counts }) => Object.values(counts).some((count) => count > 0))
      .map(({ at, counts }) => [at, counts['webhook.delivered']]),
  );

test('holds every step of the range, widened to whole steps, with 0 where nothing happened', async () => {
  await counting.countResults(
    resultsOf([
      ...range(0, 6).map((position) =>
        outcomeOf({ campaignId: 'a', position, occurredAtMs: NOW_MS - 2 * HOUR_MS }),
      ),
      ...range(6, 3).map((position) =>
        outcomeOf({
          campaignId: 'a',
          position,
          event: 'webhook.bounced',
          reason: 'timeout',
          occurredAtMs: NOW_MS - HOUR_MS,
        }),
      ),
      outcomeOf({
        campaignId: 'a',
        position: 9,
        event: 'webhook.error',
        reason: 'http_4xx',
        final: true,
        occurredAtMs: NOW_MS,
      }),
    ]),
  );
  const none = { 'webhook.bounced': 0, 'webhook.delivered': 0, 'webhook.error': 0 };
  const noRates = { delivered: null, bounced: null, error: null };
  const all = { delivered: 0, bounced: 0, error: 0 };
  const answer = await seriesOf('a', {
    step: 'hour',
    from: '2026-11-26T09:30:00Z',
    to: '2026-11-26T12:35:00Z',
  });
  expect(answer).toEqual({
    campaignId: 'a',
    step: 'hour',
    groupBy: 'event',
    tz: 'UTC',
    from: '2026-11-26T09:00:00.000Z',
    to: '2026-11-26T13:00:00.000Z',
    points: [
      { at: '2026-11-26T09:00:00.000Z', counts: none, rates: noRates },
      {
        at: '2026-11-26T10:00:00.000Z',
        counts: { ...none, 'webhook.delivered': 6 },
        rates: { ...all, delivered: 1 },
      },
      {
        at: '2026-11-26T11:00:00.000Z',
        counts: { ...none, 'webhook.bounced': 3 },
        rates: { ...all, bounced: 1 },
      },
      {
        at: '2026-11-26T12:00:00.000Z',
        counts: { ...none, 'webhook.error': 1 },
        rates: { ...all, error: 1 },
      },
    ],
    totals: { 'webhook.bounced': 3, 'webhook.delivered': 6, 'webhook.error': 1 },
    rates: { delivered: 0.6, bounced: 0.3, error: 0.1 },
    messages: { accepted: 10, delivered: 6, deliveredRate: 0.6 },
  });
  for (const step of ['minute', 'hour', 'day', 'week', 'month']) {
    const { totals } = await seriesOf('a', { step, groupBy: 'reason', from: '2026-11-26T09:00:00Z' });
    expect(totals).toEqual({ timeout: 3, http_4xx: 1 });
  }
});

test('weeks begin on Monday, months on the first, and both hold what their days hold', async () => {
  const times = [
    '2026-10-31T23:59:59Z',
    '2026-11-01T00:00:00Z',
    '2026-11-22T23:59:59Z',
    '2026-11-23T00:00:00Z',
  ];
  await deliverAt('weeks', times);
  const asked = { from: times[0] as string, to: new Date(NOW_MS).toISOString() };
  expect(filled(await seriesOf('weeks', { ...asked, step: 'week' }))).toEqual({
    '2026-10-26T00:00:00.000Z': 2,
    '2026-11-16T00:00:00.000Z': 1,
    '2026-11-23T00:00:00.000Z': 1,
  });
  const months = await seriesOf('weeks', { ...asked, step: 'month' });
  expect(filled(months)).toEqual({ '2026-10-01T00:00:00.000Z': 1, '2026-11-01T00:00:00.000Z': 3 });
  expect([months.from, months.to]).toEqual(['2026-10-01T00:00:00.000Z', '2026-12-01T00:00:00.000Z']);
});

test.each([
  // Summer time ended there on that day, which has 25 hours.
  ['Europe/Berlin', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
  ['America/New_York', '2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z'],
  ['Asia/Kolkata', '2026-11-10T18:30:00Z', '2026-11-11T18:30:00Z'],
])('a day of %s begins and ends at its own midnight', async (tz, begins, ends) => {
  const campaignId = `day-${tz}`;
  const before = (at: string) => new Date(Date.parse(at) - 1).toISOString();
  await deliverAt(campaignId, [before(begins), begins, before(ends), ends]);
  const answer = await seriesOf(campaignId, { tz, step: 'day', from: begins, to: ends });
  const at = new Date(begins).toISOString();
  expect(answer.points.map((point) => [point.at, point.counts['webhook.delivered']])).toEqual([[at, 2]]);
  expect(answer).not.toHaveProperty('exactFrom');
});

test('hours of a zone that is half an hour off begin at its own hour', async () => {
  await deliverAt('kolkata', ['2026-11-25T10:29:00Z', '2026-11-25T10:30:00Z', '2026-11-25T11:29:59Z']);
  const asked = {
    step: 'hour',
    tz: 'Asia/Kolkata',
    from: '2026-11-25T10:00:00Z',
    to: '2026-11-25T12:00:00Z',
  };
  expect(filled(await seriesOf('kolkata', asked))).toEqual({
    '2026-11-25T09:30:00.000Z': 1,
    '2026-11-25T10:30:00.000Z': 2,
  });
});

test('where half hours are no longer kept, the day of UTC stands in for that of the zone, and the answer says so', async () => {
  // Half hours are kept for 60 days here, days for 730.
  await deliverAt('old', ['2026-08-10T12:00:00Z', '2026-11-20T23:30:00Z']);
  const answer = await seriesOf('old', {
    step: 'day',
    tz: 'Europe/Berlin',
    from: '2026-08-01T00:00:00Z',
    to: '2026-11-26T00:00:00Z',
  });
  expect(filled(answer)).toEqual({ '2026-08-09T22:00:00.000Z': 1, '2026-11-20T23:00:00.000Z': 1 });
  expect(answer.exactFrom).toBe('2026-09-28T00:00:00.000Z');
  expect(answer).not.toHaveProperty('keptFrom');
  const years = await seriesOf('old', { step: 'month', from: '2020-01-01T00:00:00Z' });
  expect(years.keptFrom).toBe('2024-11-27T00:00:00.000Z');
  expect(years.totals).toEqual({ 'webhook.delivered': 2 });
});

test('messages and channels are told apart, with their rates', async () => {
  const outcome = (position: number, messageId: string, more: object) => ({
    ...outcomeOf({ campaignId: 'grouped', position, occurredAtMs: NOW_MS - HOUR_MS }),
    messageId,
    ...more,
  });
  await counting.countResults(
    resultsOf([
      outcome(0, 'welcome', { channelConfigId: '31' }),
      outcome(1, 'welcome', { channelConfigId: '31' }),
      outcome(2, 'welcome', { event: 'webhook.error', reason: 'http_4xx', channelConfigId: '32' }),
      outcome(3, '__proto__', {}),
    ]),
  );
  const byMessage = await seriesOf('grouped', { groupBy: 'messageId', step: 'day' });
  expect(byMessage.groups).toEqual([
    {
      name: 'welcome',
      events: { 'webhook.delivered': 2, 'webhook.bounced': 0, 'webhook.error': 1 },
      rates: { delivered: 0.6667, bounced: 0, error: 0.3333 },
    },
    {
      name: '__proto__',
      events: { 'webhook.delivered': 1, 'webhook.bounced': 0, 'webhook.error': 0 },
      rates: { delivered: 1, bounced: 0, error: 0 },
    },
  ]);
  expect(Object.entries(byMessage.totals)).toEqual(expect.arrayContaining([['welcome', 3]]));
  const byChannel = await seriesOf('grouped', {
    groupBy: 'channelConfigId',
    event: 'webhook.delivered',
    step: 'hour',
  });
  expect(byChannel.totals).toEqual({ 31: 2, 'inline destinations': 1 });
});

test('of a campaign whose every webhook is another message, the first fifty are told apart, however it is counted', async () => {
  const others = 37;
  const job = resultsOf(
    range(0, GROUPS_MAX + others).map((position) =>
      outcomeOf({ campaignId: 'many', position, occurredAtMs: NOW_MS }),
    ),
  );
  const second = setupCounting(redis.url, { now: () => NOW_MS });
  await Promise.all([counting.countResults(job), second.countResults(job)]);
  await second.countResults(
    resultsOf([outcomeOf({ campaignId: 'many', position: 1_000, occurredAtMs: NOW_MS })]),
  );
  second.close();
  const { totals } = await seriesOf('many', { groupBy: 'messageId' });
  expect(Object.keys(totals)).toHaveLength(GROUPS_MAX + 1);
  expect(totals['other messages']).toBe(others + 1);
});

test('a late event counts in the step in which it occurred', async () => {
  await deliverAt('late', ['2026-11-26T12:00:00Z']);
  await counting.countResults(
    resultsOf([outcomeOf({ campaignId: 'late', position: 9, occurredAtMs: NOW_MS - 3 * DAY_MS })]),
  );
  expect(filled(await seriesOf('late', { step: 'day', from: '2026-11-23T00:00:00Z' }))).toEqual({
    '2026-11-23T00:00:00.000Z': 1,
    '2026-11-26T00:00:00.000Z': 1,
  });
});

test('those who ask for the same series at once share one reading, and others have their own', async () => {
  await deliverAt('shared', ['2026-11-26T10:00:00Z']);
  await deliverAt('other', ['2026-11-26T10:00:00Z', '2026-11-26T10:00:00Z']);
  const { connection, series } = counting;
  const bounds = [NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS, NOW_MS].map(
    (atMs) => atMs - (NOW_MS % DAY_MS) + DAY_MS,
  );
  const totalsOf = async (campaignId: string) => {
    const { totals } = await series.series(campaignId, { step: 'day', groupBy: 'messageId', bounds });
    return Object.values(totals).reduce((sum, count) => sum + count, 0);
  };
  const readingsOf = async (look: () => Promise<unknown>) => {
    const count = async () =>
      Number(/cmdstat_hgetall:calls=(\d+)/.exec(await connection.info('commandstats'))?.[1] ?? 0);
    const before = await count();
    await look();
    return (await count()) - before;
  };
  const ofOne = await readingsOf(() => totalsOf('shared'));
  expect(ofOne).toBeGreaterThan(0);
  const ofTwenty = () => Promise.all(Array.from({ length: 20 }, () => totalsOf('shared')));
  expect(await readingsOf(ofTwenty)).toBe(ofOne);
  expect(await Promise.all(['shared', 'other', 'shared'].map(totalsOf))).toEqual([1, 2, 1]);
  // Whoever asks afterwards has what was counted since.
  await counting.countResults(
    resultsOf([outcomeOf({ campaignId: 'shared', position: 1, occurredAtMs: NOW_MS })]),
  );
  expect(await totalsOf('shared')).toBe(2);
});

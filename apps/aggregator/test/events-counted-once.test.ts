/**
 * Custom events are counted as webhooks' outcomes are: once, whatever arrives, however often, in whatever order and
 * parts. Random reports are delivered at random to a real Redis, and held against a model of a few lines.
 * Takes about 2 s.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ReportedEvent } from '@hookfleet/contract';
import { startTestRedis } from '@hookfleet/testkit';
import fc from 'fast-check';
import { BITS_PER_PAGE } from '../src/plan-events.ts';
import { RUN, range } from './results-of.ts';
import { stepBounds } from '../src/series-calendar.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let first: CountingSetup;
let second: CountingSetup;

beforeAll(async () => {
  redis = await startTestRedis();
  first = setupCounting(redis.url);
  second = setupCounting(redis.url);
});

afterAll(async () => {
  first.close();
  second.close();
  await redis.stop();
});

interface Report {
  readonly event: string;
  readonly id: string | undefined;
  readonly position: number;
  readonly cents: number | undefined;
  readonly agoMs: number;
}

const reportArbitrary: fc.Arbitrary<Report> = fc.record({
  event: fc.constantFrom('whatsapp.read', 'shop.order'),
  id: fc.option(fc.string({ minLength: 1, maxLength: 3 }), { nil: undefined }),
  // The end of the first page of marks, and the beginning of the second, too.
  position: fc.oneof(
    fc.integer({ min: 0, max: 20 }),
    fc.integer({ min: BITS_PER_PAGE - 3, max: BITS_PER_PAGE + 3 }),
  ),
  cents: fc.option(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), { nil: undefined }),
  agoMs: fc.integer({ min: 0, max: 120 * MINUTE_MS }),
});

/** As whoever reports has it: an id once per event, a position once. */
const reportsArbitrary = fc.uniqueArray(reportArbitrary, {
  selector: ({ event, id, position }) => (id === undefined ? position : `${event} ${id}`),
  minLength: 1,
  maxLength: 30,
});

function reportedOf(
  campaignId: string,
  { event, id, position, cents, agoMs }: Report,
  nowMs: number,
): ReportedEvent {
  return {
    campaignId,
    event,
    ...(id === undefined ? { mark: { run: RUN, position } } : { id }),
    occurredAt: nowMs - agoMs,
    ...(cents !== undefined && { numbers: { price: cents / 100 } }),
  };
}

function model(reports: readonly Report[], nowMs: number) {
  const byEvent = [...Map.groupBy(reports, ({ event }) => event)].sort(([a], [b]) => (a < b ? -1 : 1));
  const properties = byEvent.flatMap(([event, ofEvent]) => {
    const cents = ofEvent.flatMap((report) => report.cents ?? []);
    if (cents.length === 0) return [];
    const sum = cents.reduce((total, one) => total + one, 0) / 100;
    const price = { count: cents.length, sum, average: sum / cents.length };
    return [
      [event, { price: { ...price, min: Math.min(...cents) / 100, max: Math.max(...cents) / 100 } }],
    ] as const;
  });
  const times = reports.map(({ agoMs }) => nowMs - agoMs);
  return {
    events: Object.fromEntries(byEvent.map(([event, ofEvent]) => [event, ofEvent.length])),
    ...(properties.length > 0 && { properties: Object.fromEntries(properties) }),
    firstEventAt: new Date(Math.min(...times)).toISOString(),
    lastEventAt: new Date(Math.max(...times)).toISOString(),
  };
}

test('random interleavings, repeats and splits, by two aggregators, end as the model says', async () => {
  await fc.assert(
    fc.asyncProperty(
      reportsArbitrary,
      // A double would be next to nothing mostly: there are as many below 1e-150 as above.
      fc.infiniteStream(fc.integer({ min: 0, max: 999 }).map((thousandths) => thousandths / 1_000)),
      async (reports, stream) => {
        const random = () => stream.next().value as number;
        const campaignId = `campaign-${randomUUID()}`;
        const nowMs = Date.now();
        const copies = reports
          .map((report) => reportedOf(campaignId, report, nowMs))
          .flatMap((event) => range(0, 1 + Math.floor(random() * 3)).map(() => ({ event, at: random() })))
          .sort((a, b) => a.at - b.at)
          .map(({ event }) => event);
        const underWay: Promise<unknown>[] = [];
        for (let at = 0; at < copies.length; ) {
          const part = copies.slice(at, at + 1 + Math.floor(random() * 12));
          at += part.length;
          underWay.push((random() < 0.5 ? first : second).countEvents(part));
        }
        await Promise.all(underWay);

        const { events, properties, firstEventAt, lastEventAt } =
          (await first.reader.totals(campaignId)) ?? {};
        expect({ events, ...(properties && { properties }), firstEventAt, lastEventAt }).toEqual(
          model(reports, nowMs),
        );
        const fromMs = Math.floor(nowMs / DAY_MS - 1) * DAY_MS;
        const bounds = stepBounds('day', 'UTC', fromMs, fromMs + 2 * DAY_MS);
        const days = (await first.series.series(campaignId, { step: 'day', groupBy: 'event', bounds }))
          .points;
        for (const [event, count] of Object.entries(events ?? {}))
          expect(days.reduce((sum, { counts }) => sum + (counts[event] ?? 0), 0)).toBe(count);
      },
    ),
    { numRuns: 150 },
  );
});

describe('a campaign', () => {
  const read = (changes: Partial<ReportedEvent> = {}): ReportedEvent => ({
    campaignId: `campaign-${randomUUID()}`,
    event: 'whatsapp.read',
    id: 'one',
    occurredAt: Date.now(),
    ...changes,
  });

  test('with custom events alone is listed', async () => {
    const event = read();
    expect(await first.countEvents([event])).toEqual({ events: 1, repeatedEvents: 0 });
    const { campaigns } = await first.reader.list(0, 300);
    expect(campaigns.map(({ totals }) => totals)).toContainEqual(
      expect.objectContaining({ campaignId: event.campaignId, events: { 'whatsapp.read': 1 } }),
    );
  });

  test('counts an id that comes again within its time once, across midnight and clocks that differ', async () => {
    const event = read();
    const noon = Math.floor(Date.now() / DAY_MS) * DAY_MS + DAY_MS / 2;
    const at = (atMs: number) => setupCounting(redis.url, { eventIdsMs: 2 * DAY_MS, now: () => atMs });
    // Just before midnight, just after it, a day later, and by a clock that is still before midnight.
    const midnight = noon + DAY_MS / 2;
    const counted: number[] = [];
    for (const atMs of [midnight + 500, midnight - 500, midnight + DAY_MS, midnight + 2 * DAY_MS]) {
      const aggregator = at(atMs);
      counted.push((await aggregator.countEvents([event])).events);
      aggregator.close();
    }
    expect(counted).toEqual([1, 0, 0, 0]);
  });

  test('tells events with the same id apart by their names, and campaigns by theirs', async () => {
    const event = read();
    const counted = await first.countEvents([
      event,
      { ...event, event: 'whatsapp.sent' },
      { ...event, campaignId: `${event.campaignId}-2` },
    ]);
    expect(counted).toEqual({ events: 3, repeatedEvents: 0 });
  });

  test('counts a late event in the step in which it occurred, and in the totals where that is past keeping', async () => {
    const event = read();
    const hourAgoMs = Math.floor(Date.now() / MINUTE_MS - 60) * MINUTE_MS;
    await first.countEvents([
      { ...event, occurredAt: hourAgoMs },
      { ...event, id: 'two', occurredAt: Date.now() - 3_000 * DAY_MS },
    ]);
    const bounds = stepBounds('minute', 'UTC', hourAgoMs, hourAgoMs + MINUTE_MS);
    const query = { step: 'minute', groupBy: 'event', bounds } as const;
    expect((await first.series.series(event.campaignId, query)).points).toMatchObject([
      { at: new Date(hourAgoMs).toISOString(), counts: { 'whatsapp.read': 1 } },
    ]);
    expect(await first.reader.totals(event.campaignId)).toMatchObject({ events: { 'whatsapp.read': 2 } });
  });

  test('sums numbers exactly, in any order: ten times 0.1 is 1, beside the largest there are', async () => {
    const { campaignId } = read();
    const events = range(0, 10).map((i) => read({ campaignId, id: `${i}`, numbers: { price: 0.1 } }));
    await first.countEvents(events);
    const price = async () =>
      (await first.reader.totals(campaignId))?.properties?.['whatsapp.read']?.['price'];
    expect(await price()).toEqual({ count: 10, sum: 1, average: 0.1, min: 0.1, max: 0.1 });
    const large = Number.MAX_SAFE_INTEGER;
    await first.countEvents(
      range(0, 1_000).map((i) => read({ campaignId, id: `+${i}`, numbers: { price: large } })),
    );
    await first.countEvents(
      range(0, 1_000).map((i) => read({ campaignId, id: `-${i}`, numbers: { price: -large } })),
    );
    expect(await price()).toEqual({ count: 2_010, sum: 1, average: 1 / 2_010, min: -large, max: large });
  });

  test('has no key without an end', async () => {
    const event = read({ numbers: { price: 1 } });
    const { id: _id, ...withoutId } = event;
    await first.countEvents([event, { ...withoutId, mark: { run: RUN, position: 0 } }]);
    const keys = await (first.connection as { keys(pattern: string): Promise<string[]> }).keys(
      `{test:c:${event.campaignId}}:*`,
    );
    expect(keys.length).toBe(6);
    for (const key of keys) expect(await first.connection.pttl(key)).toBeGreaterThan(0);
  });
});

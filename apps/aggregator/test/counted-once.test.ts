/**
 * Whatever arrives, however often, in whatever order and parts: each attempt is counted once. Random histories are
 * delivered at random to a real Redis, and held against a model of a few lines.
 * Takes about 6 s.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Outcome, Results } from '@hookfleet/contract';
import { startTestRedis } from '@hookfleet/testkit';
import fc from 'fast-check';
import { bucketOf, percentile } from '../src/latency-histogram.ts';
import { CELLS_PER_PAGE } from '../src/plan-counting.ts';
import { stepBounds } from '../src/series-calendar.ts';
import { acceptanceOf, MEMBERS_RUN, OTHER_RUN, outcomeOf, RUN, range, resultsOf } from './results-of.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;

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

interface Attempt {
  readonly attempt: number;
  readonly event: Outcome['event'];
  readonly reason: Outcome['reason'] | undefined;
  readonly final: boolean;
  readonly durationMs: number;
  readonly agoMs: number;
}

interface History {
  readonly run: string;
  readonly position: number;
  readonly accepted: boolean;
  readonly cancelled: boolean;
  readonly recipients: number;
  /** Of a batch: where its members are, and how many of them were accepted in so many words. */
  readonly batch: { readonly from: number; readonly accepted: number } | undefined;
  readonly attempts: readonly Attempt[];
}

const attemptArbitrary: fc.Arbitrary<Attempt> = fc
  .record({
    // Beyond the twelfth there is no bit in the marks.
    attempt: fc.integer({ min: 1, max: 15 }),
    ending: fc.constantFrom('delivered', 'bounced', 'bounced for good', 'error'),
    durationMs: fc.integer({ min: 1, max: 30_000 }),
    // Mostly of the last two hours; some from clocks that are years off.
    agoMs: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 0, max: 120 * MINUTE_MS }) },
      { weight: 1, arbitrary: fc.constantFrom(-9 * YEAR_MS, 9 * YEAR_MS) },
    ),
  })
  .map(({ ending, ...rest }): Attempt => {
    if (ending === 'delivered')
      return { ...rest, event: 'webhook.delivered', reason: undefined, final: true };
    if (ending === 'error') return { ...rest, event: 'webhook.error', reason: 'http_4xx', final: true };
    return { ...rest, event: 'webhook.bounced', reason: 'http_5xx', final: ending !== 'bounced' };
  });

const historyArbitrary: fc.Arbitrary<History> = fc
  .record({
    run: fc.constantFrom(RUN, OTHER_RUN),
    // The end of the first page, and the beginning of the second, too.
    position: fc.oneof(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: CELLS_PER_PAGE - 3, max: CELLS_PER_PAGE + 3 }),
    ),
    accepted: fc.boolean(),
    cancelled: fc.boolean(),
    recipients: fc.integer({ min: 1, max: 200 }),
    isBatch: fc.boolean(),
    acceptedMembers: fc.integer({ min: 0, max: 200 }),
    attempts: fc.uniqueArray(attemptArbitrary, { selector: ({ attempt }) => attempt, maxLength: 5 }),
  })
  // An acceptance and a cancellation speak of one message for each webhook.
  .map(({ isBatch, acceptedMembers, ...history }): History => {
    const { run, position, recipients, accepted } = history;
    if (!isBatch)
      return { ...history, batch: undefined, recipients: accepted || history.cancelled ? 1 : recipients };
    // Each batch's members lie apart from the others', and some over the end of a page.
    const from = (2 * position + (run === RUN ? 0 : 1)) * 200;
    return {
      ...history,
      batch: { from, accepted: accepted ? Math.min(acceptedMembers, recipients) : 0 },
    };
  });

const historiesArbitrary = fc.uniqueArray(historyArbitrary, {
  selector: ({ run, position }) => `${run}.${position}`,
  minLength: 1,
  maxLength: 20,
});

function model(histories: readonly History[], nowMs: number) {
  const events = new Map<string, number>();
  const reasons = new Map<string, number>();
  const minutes = new Map<string, number>();
  const latencies = new Map<number, number>();
  const messages = { accepted: 0, delivered: 0, failed: 0, cancelled: 0 };
  const times: number[] = [];
  const add = <K>(counts: Map<K, number>, name: K, count = 1) =>
    counts.set(name, (counts.get(name) ?? 0) + count);
  for (const { accepted, cancelled, recipients, batch, attempts } of histories) {
    if (cancelled || attempts.length > 0) messages.accepted += recipients;
    else if (accepted) messages.accepted += batch === undefined ? recipients : batch.accepted;
    if (attempts.some(({ event }) => event === 'webhook.delivered')) messages.delivered += recipients;
    else if (attempts.some(({ final }) => final)) messages.failed += recipients;
    else if (cancelled) messages.cancelled += recipients;
    for (const { event, reason, durationMs, agoMs } of attempts) {
      add(events, event);
      if (reason !== undefined) add(reasons, reason);
      add(latencies, bucketOf(durationMs));
      if (Math.abs(agoMs) > YEAR_MS) continue;
      const atMs = nowMs - agoMs;
      times.push(atMs);
      add(minutes, `${new Date(Math.floor(atMs / MINUTE_MS) * MINUTE_MS).toISOString()} ${event}`);
    }
  }
  const { accepted, delivered, failed, cancelled } = messages;
  return {
    totals: {
      events: Object.fromEntries(events),
      reasons: Object.fromEntries(reasons),
      messages: { ...messages, pending: accepted - delivered - failed - cancelled },
      latency: {
        p50: percentile(latencies, 0.5),
        p95: percentile(latencies, 0.95),
        p99: percentile(latencies, 0.99),
      },
      ...(times.length > 0 && {
        firstEventAt: new Date(Math.min(...times)).toISOString(),
        lastEventAt: new Date(Math.max(...times)).toISOString(),
      }),
    },
    minutes: Object.fromEntries(minutes),
  };
}

/** All entries at least once, some more often, in random order, in jobs of random size. */
function deliveriesOf(
  campaignId: string,
  histories: readonly History[],
  nowMs: number,
  random: () => number,
): Results[] {
  const entries = histories.flatMap(
    ({ run, position, accepted, cancelled, recipients, batch, attempts }): Results[] => [
      ...(accepted && batch === undefined
        ? [resultsOf([], [acceptanceOf(campaignId, position, 1, run)])]
        : []),
      ...range(0, batch?.accepted ?? 0).map((i) =>
        resultsOf([], [acceptanceOf(campaignId, (batch?.from ?? 0) + i, 1, MEMBERS_RUN)]),
      ),
      ...(cancelled
        ? [
            resultsOf(
              [],
              [],
              [
                batch === undefined
                  ? { campaignId, run, from: position, count: 1 }
                  : { campaignId, run: MEMBERS_RUN, from: batch.from, count: recipients },
              ],
            ),
          ]
        : []),
      ...attempts.map(({ agoMs, reason, ...attempt }) =>
        resultsOf([
          outcomeOf({
            campaignId,
            run,
            position,
            recipients,
            members: batch && [{ run: MEMBERS_RUN, from: batch.from, count: recipients }],
            occurredAtMs: nowMs - agoMs,
            ...attempt,
            ...(reason !== undefined && { reason }),
          }),
        ]),
      ),
    ],
  );
  const copies = entries
    .flatMap((entry) => range(0, 1 + Math.floor(random() * 3)).map(() => entry))
    .map((entry) => ({ entry, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ entry }) => entry);
  const jobs: Results[] = [];
  for (let at = 0; at < copies.length; ) {
    const part = copies.slice(at, at + 1 + Math.floor(random() * 12));
    at += part.length;
    jobs.push(
      resultsOf(
        part.flatMap(({ outcomes = [] }) => outcomes),
        part.flatMap(({ acceptances = [] }) => acceptances),
        part.flatMap(({ cancellations = [] }) => cancellations),
      ),
    );
  }
  return jobs;
}

/** mulberry32: the same seed gives the same deliveries. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test('random interleavings, repeats and splits, by two aggregators, end as the model says', async () => {
  await fc.assert(
    fc.asyncProperty(historiesArbitrary, fc.integer(), async (histories, seed) => {
      const campaignId = `campaign-${randomUUID()}`;
      const nowMs = Date.now();
      const random = createRandom(seed);
      const underWay: Promise<unknown>[] = [];
      for (const job of deliveriesOf(campaignId, histories, nowMs, random)) {
        underWay.push((random() < 0.5 ? first : second).countResults(job));
        if (random() < 0.4) await Promise.all(underWay.splice(0));
      }
      await Promise.all(underWay);

      const expected = model(histories, nowMs);
      const totals = await first.reader.totals(campaignId);
      const isEmpty = histories.every(
        ({ accepted, cancelled, batch, attempts }) =>
          !(accepted && batch?.accepted !== 0) && !cancelled && attempts.length === 0,
      );
      expect(totals).toEqual(isEmpty ? undefined : { campaignId, ...expected.totals });
      expect(await minutesOf(campaignId, nowMs)).toEqual(expected.minutes);
    }),
    { numRuns: 200 },
  );
});

async function minutesOf(campaignId: string, nowMs: number): Promise<Record<string, number>> {
  const fromMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS - 121 * MINUTE_MS;
  const toMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  const bounds = stepBounds('minute', 'UTC', fromMs, toMs);
  const { points } = await first.series.series(campaignId, { step: 'minute', groupBy: 'event', bounds });
  const counted = points.flatMap(({ at, counts }) =>
    Object.entries(counts).map(([name, count]) => [`${at} ${name}`, count] as const),
  );
  return Object.fromEntries(counted.filter(([, count]) => count > 0));
}

describe('a campaign', () => {
  function setup() {
    const campaignId = `campaign-${randomUUID()}`;
    return { campaignId, totals: async () => first.reader.totals(campaignId), count: first.countResults };
  }

  test('counts the same results job once, however often it comes', async () => {
    const { campaignId, totals, count } = setup();
    const job = resultsOf(
      range(0, 40).map((position) => outcomeOf({ campaignId, position })),
      [acceptanceOf(campaignId, 0, 50)],
    );
    const counted = [
      await count(job),
      await count(job),
      ...(await Promise.all([count(job), second.countResults(job)])),
    ];
    expect(counted.map(({ outcomes }) => outcomes)).toEqual([40, 0, 0, 0]);
    expect(counted.map(({ repeats }) => repeats)).toEqual([0, 40, 40, 40]);
    expect(await totals()).toMatchObject({
      events: { 'webhook.delivered': 40 },
      messages: { accepted: 50, delivered: 40, failed: 0, cancelled: 0, pending: 10 },
    });
  });

  test('counts each response, and each message once: 503, 503, 200', async () => {
    const { campaignId, totals, count } = setup();
    const bounced = {
      campaignId,
      position: 0,
      event: 'webhook.bounced',
      reason: 'http_5xx',
      final: false,
    } as const;
    const outcomes = [1, 2].map((attempt) => outcomeOf({ ...bounced, attempt }));
    await count(resultsOf([...outcomes, outcomeOf({ campaignId, position: 0, attempt: 3 })]));
    expect(await totals()).toMatchObject({
      events: { 'webhook.bounced': 2, 'webhook.delivered': 1 },
      reasons: { http_5xx: 2 },
      messages: { accepted: 1, delivered: 1, failed: 0, pending: 0 },
    });
  });

  test('takes a failed message back when its replay succeeds, also where the replay is counted first', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const { campaignId, totals, count } = setup();
      const failed = outcomeOf({
        campaignId,
        position: 7,
        event: 'webhook.error',
        reason: 'gone',
        final: true,
      });
      const outcomes = [failed, outcomeOf({ campaignId, position: 7, attempt: 2 })];
      for (const i of order) await count(resultsOf([outcomes[i] as Outcome]));
      expect(await totals()).toMatchObject({
        messages: { accepted: 1, delivered: 1, failed: 0, pending: 0 },
      });
    }
  });

  test('counts a batch of 200 as one event and 200 messages', async () => {
    const { campaignId, totals, count } = setup();
    await count(resultsOf([outcomeOf({ campaignId, position: 0, recipients: 200 })]));
    expect(await totals()).toMatchObject({
      events: { 'webhook.delivered': 1 },
      messages: { accepted: 200, delivered: 200 },
    });
  });

  test('counts a batch as one event, and the messages of its members, each once, wherever else they were told', async () => {
    const { campaignId, totals, count } = setup();
    const members = [
      { run: MEMBERS_RUN, from: CELLS_PER_PAGE - 300, count: 700 },
      { run: OTHER_RUN, from: 5, count: 300 },
    ];
    const batch = { campaignId, position: 0, recipients: 1_000, members };
    const failed = outcomeOf({ ...batch, event: 'webhook.bounced', reason: 'http_5xx', final: true });
    const delivered = outcomeOf({ ...batch, attempt: 2 });
    await count(resultsOf([failed], [acceptanceOf(campaignId, CELLS_PER_PAGE - 300, 700, MEMBERS_RUN)]));
    expect(await totals()).toMatchObject({ messages: { accepted: 1_000, failed: 1_000, pending: 0 } });
    await count(resultsOf([delivered, failed]));
    await count(resultsOf([delivered], [acceptanceOf(campaignId, 0, 305, OTHER_RUN)]));
    expect(await totals()).toMatchObject({
      events: { 'webhook.bounced': 1, 'webhook.delivered': 1 },
      messages: { accepted: 1_005, delivered: 1_000, failed: 0, pending: 5 },
    });
  });

  test('counts fifty batches of a thousand in one job', async () => {
    const { campaignId, totals, count } = setup();
    const outcomes = range(0, 50).map((position) =>
      outcomeOf({
        campaignId,
        position,
        recipients: 1_000,
        members: [{ run: MEMBERS_RUN, from: position * 1_000, count: 1_000 }],
      }),
    );
    await count(resultsOf(outcomes));
    expect(await totals()).toMatchObject({
      events: { 'webhook.delivered': 50 },
      messages: { accepted: 50_000, delivered: 50_000, pending: 0 },
    });
  });

  test.each([
    [999, 1_000],
    [2_000_000_000, 2_000_000_000],
  ])('a batch with %d members for %d recipients is set aside as a mistake', async (members, recipients) => {
    const { campaignId, count } = setup();
    const odd = outcomeOf({
      campaignId,
      position: 0,
      recipients,
      members: [{ run: MEMBERS_RUN, from: 0, count: members }],
    });
    await expect(count(resultsOf([odd]))).rejects.toThrow('name no webhook');
  });

  test('accepts overlapping ranges over several pages once', async () => {
    const { campaignId, totals, count } = setup();
    const overlapping = [
      acceptanceOf(campaignId, 0, 9_000),
      acceptanceOf(campaignId, 8_500, 1_000),
      acceptanceOf(campaignId, 0, 10),
    ];
    await count(resultsOf([outcomeOf({ campaignId, position: 8_999 })], overlapping));
    await count(
      resultsOf([outcomeOf({ campaignId, position: 9_499 })], [acceptanceOf(campaignId, 9_400, 200)]),
    );
    expect(await totals()).toMatchObject({ messages: { accepted: 9_600, delivered: 2, pending: 9_598 } });
  });

  test('counts an outcome at the far end of a run without the memory of all before it', async () => {
    const { campaignId, count } = setup();
    await count(resultsOf([outcomeOf({ campaignId, position: 36 ** 7 - 1 })]));
    const key = `{test:c:${campaignId}}:marks:${RUN}:${Math.floor((36 ** 7 - 1) / CELLS_PER_PAGE)}`;
    expect(await first.connection.strlen(key)).toBeLessThanOrEqual(2 * CELLS_PER_PAGE);
  });

  test('counts a job with thousands of outcomes and of several campaigns', async () => {
    const [one, other] = [setup(), setup()];
    const outcomesOf = (campaignId: string) =>
      range(0, 3_000).map((position) => outcomeOf({ campaignId, position }));
    await first.countResults(resultsOf([...outcomesOf(one.campaignId), ...outcomesOf(other.campaignId)]));
    for (const { totals } of [one, other])
      expect(await totals()).toMatchObject({ events: { 'webhook.delivered': 3_000 } });
  });

  test('counts in the totals what a clock years ahead or behind reports, and makes no key for it', async () => {
    const { campaignId, totals, count } = setup();
    const occurrences = [-8, -1, 1, 8].map((years) => Date.now() + years * 3 * YEAR_MS);
    await count(
      resultsOf(
        occurrences.map((occurredAtMs, position) => outcomeOf({ campaignId, position, occurredAtMs })),
      ),
    );
    expect(await totals()).toMatchObject({ events: { 'webhook.delivered': 4 } });
    expect(await totals()).not.toHaveProperty('lastEventAt');
    const keys = await (first.connection as { keys(pattern: string): Promise<string[]> }).keys(
      `{test:c:${campaignId}}:*`,
    );
    expect(keys.filter((key) => /:(?:minute|halfHour|day):/.test(key))).toEqual([]);
  });

  test('has no key without an end', async () => {
    const { campaignId, count } = setup();
    const late = range(0, 14).map((i) =>
      outcomeOf({ campaignId, position: 0, attempt: i + 1, event: 'webhook.bounced', reason: 'dns' }),
    );
    await count(resultsOf(late, [acceptanceOf(campaignId, 0, 10)]));
    const keys = await (first.connection as { keys(pattern: string): Promise<string[]> }).keys(
      `{test:c:${campaignId}}:*`,
    );
    // Totals, latency, late, marks; minutes, half hours and days; the latter two by group; names of messages; runs.
    expect(keys.length).toBe(11);
    for (const key of keys) expect(await first.connection.pttl(key)).toBeGreaterThan(0);
  });

  test('counts the rest of a job in which one entry names no webhook, and says so', async () => {
    const { campaignId, totals, count } = setup();
    const odd = { ...outcomeOf({ campaignId, position: 1 }), webhookId: 'not-a-webhook' };
    await expect(count(resultsOf([outcomeOf({ campaignId, position: 0 }), odd]))).rejects.toThrow(
      'not-a-webhook',
    );
    expect(await totals()).toMatchObject({ events: { 'webhook.delivered': 1 } });
  });

  test('is listed as soon as anything of it is counted, and open while messages are pending', async () => {
    const { campaignId, count } = setup();
    await count(resultsOf([], [acceptanceOf(campaignId, 0, 3)]));
    expect((await first.reader.list(0, 300)).campaigns.map(({ totals }) => totals.campaignId)).toContain(
      campaignId,
    );
    expect(await first.connection.sismember('{test}:open', campaignId)).toBe(1);
    await count(resultsOf(range(0, 3).map((position) => outcomeOf({ campaignId, position }))));
    await first.reader.pendingMessages();
    expect(await first.connection.sismember('{test}:open', campaignId)).toBe(0);
  });
});

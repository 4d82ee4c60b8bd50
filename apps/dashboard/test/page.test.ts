/** The page's decisions: what is drawn, what a download holds, which view an address names. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { drawCounts, drawRates } from '../page/chart-data.ts';
import { colourVariable } from '../page/colours.ts';
import { csvName, toCsv } from '../page/csv-text.ts';
import { rangeNameFor, rangeOf, stepFor, stepsFor } from '../page/ranges.ts';
import { campaignLink, campaignsLink, parseRoute } from '../page/routes.ts';
import type { Series } from '../page/types.ts';
import { share, sheetTime } from '../page/format.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.parse('2026-11-24T12:00:00Z');

function seriesOf(points: Record<string, number>[], groupBy = 'event'): Series {
  const totals = new Map<string, number>();
  for (const counts of points)
    for (const [name, count] of Object.entries(counts)) totals.set(name, (totals.get(name) ?? 0) + count);
  return {
    step: 'hour',
    groupBy,
    tz: 'UTC',
    from: new Date(NOW_MS).toISOString(),
    to: new Date(NOW_MS + points.length * HOUR_MS).toISOString(),
    points: points.map((counts, i) => ({ at: new Date(NOW_MS + i * HOUR_MS).toISOString(), counts })),
    totals: Object.fromEntries(totals),
  };
}

test('outcomes are stacked in their order, custom events on them, the most first', () => {
  const drawn = drawCounts(
    seriesOf([{ 'whatsapp.read': 1, 'webhook.error': 2, 'sms.read': 5, 'webhook.delivered': 10 }, {}]),
  );
  expect(drawn.names).toEqual([
    'webhook.delivered',
    'webhook.bounced',
    'webhook.error',
    'sms.read',
    'whatsapp.read',
  ]);
  expect(drawn.stacked.map(([first]) => first)).toEqual([10, 10, 12, 17, 18]);
  expect(drawn.stacked.map(([, second]) => second)).toEqual([0, 0, 0, 0, 0]);
});

test('however many names there are, few are drawn, and none is left out of the sum', () => {
  const counts = fc.dictionary(fc.stringMatching(/^[a-z_]{1,9}$/), fc.integer({ min: 0, max: 1_000 }), {
    maxKeys: 40,
  });
  fc.assert(
    fc.property(fc.array(counts, { minLength: 1, maxLength: 5 }), (points) => {
      const series = seriesOf(points, 'messageId');
      const { names, stacked } = drawCounts(series);
      expect(names.length).toBeLessThanOrEqual(8);
      const tops = points.map((_, i) => stacked.at(-1)?.[i] ?? 0);
      expect(tops).toEqual(points.map((one) => Object.values(one).reduce((sum, count) => sum + count, 0)));
    }),
  );
});

test('names that every object has are names like others', () => {
  const names = ['__proto__', 'constructor', 'toString'];
  const points = names.map((name) => Object.fromEntries([[name, 7]]));
  const drawn = drawCounts(seriesOf(points, 'messageId'));
  expect(drawn.names).toEqual(names);
  expect(drawn.values).toEqual([
    [7, 0, 0],
    [0, 7, 0],
    [0, 0, 7],
  ]);
  expect(names.map(colourVariable)).toEqual(['custom-0', 'custom-1', 'custom-2']);
});

test('a step without a response has no rate, rather than one of 0', () => {
  const series = seriesOf([{}, {}]);
  const [first, second] = series.points;
  if (first === undefined || second === undefined) throw new Error('two points were made');
  const points = [{ ...first, rates: { delivered: null, bounced: null, error: null } }, second];
  expect(drawRates({ ...series, points }).values).toEqual([
    [null, null],
    [null, null],
    [null, null],
  ]);
});

test('a name that a spreadsheet would take for a formula is disarmed, and quotes stay quotes', () => {
  expect(
    toCsv([
      ['from', '=cmd()', '+1', '-1', '@a', 'a,"b"', 'line\nbreak'],
      ['2026', 1, 2, -3],
    ]),
  ).toBe(`\ufefffrom,'=cmd(),'+1,'-1,'@a,"a,""b""","line\nbreak"\r\n2026,1,2,-3\r\n`);
});

test.each([
  ['Frühjahrs-Aktion', 'Frühjahrs-Aktion-day-event.csv'],
  ['../a/b:c?', '__a_b_c_-day-event.csv'],
  ['🎄'.repeat(61), `${'🎄'.repeat(60)}-day-event.csv`],
])('a file of campaign %j has a name that every system takes', (campaignId, name) => {
  expect(csvName([campaignId, 'day', 'event'])).toBe(name);
});

test('a time is one that a spreadsheet reads, of the time zone that the graph shows', () => {
  expect(sheetTime('2026-11-24T12:00:00Z', 'Europe/Berlin')).toBe('2026-11-24 13:00');
  expect(sheetTime('2026-11-24T12:00:00Z', 'UTC')).toBe('2026-11-24 12:00');
});

test('an id of any letters comes back from its link', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 128 }), (id) => {
      expect(parseRoute(campaignLink(id))).toEqual({ view: 'campaign', campaignId: id });
      const list = { q: id.trim(), sort: 'delivered', page: 3 };
      expect(parseRoute(campaignsLink(list))).toEqual({ view: 'campaigns', ...list });
    }),
  );
  expect(parseRoute('#/campaigns/%E0%A4%A')).toEqual({ view: 'unknown' });
  expect(parseRoute('#/?page=-1')).toMatchObject({ page: 1 });
});

test.each([
  ['1h', 'minute'],
  ['24h', 'hour'],
  ['7d', 'hour'],
  ['30d', 'day'],
] as const)('%s is shown by the %s', (name, step) => {
  expect(stepFor(rangeOf(name, NOW_MS, undefined), NOW_MS)).toBe(step);
});

test('the range that is shown first holds all of a campaign, or its last thirty days, and no step makes more points than an answer may have', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 900 * DAY_MS }), (agoMs) => {
      const firstEventAt = new Date(NOW_MS - agoMs).toISOString();
      const range = rangeOf(rangeNameFor(firstEventAt, NOW_MS), NOW_MS, firstEventAt);
      expect(range.fromMs).toBeLessThanOrEqual(Math.max(NOW_MS - agoMs, NOW_MS - 30 * DAY_MS));
      expect(stepsFor(range)).toContain(stepFor(range, NOW_MS));
      const pointsMax = Math.max(
        ...stepsFor(range).map(
          (step) =>
            (range.toMs - range.fromMs) /
            { minute: 60_000, hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS, month: 28 * DAY_MS }[step],
        ),
      );
      expect(pointsMax).toBeLessThan(3_000);
    }),
  );
});

test('a young campaign fills its graph, and has room to grow into', () => {
  const rangeOfAge = (ageMs: number) => rangeOf('all', NOW_MS, new Date(NOW_MS - ageMs).toISOString());
  expect(rangeOfAge(30_000)).toEqual({ fromMs: NOW_MS - 30_000, toMs: NOW_MS + 270_000 });
  expect(rangeOfAge(HOUR_MS)).toEqual({ fromMs: NOW_MS - HOUR_MS, toMs: NOW_MS });
  // A worker's clock may be ahead.
  expect(rangeOfAge(-30_000)).toEqual({ fromMs: NOW_MS, toMs: NOW_MS + 300_000 });
});

test('nearly all is not all', () => {
  expect([share(1), share(0.9996), share(0.9954), share(0), share(null)]).toEqual([
    '100%',
    '> 99.9%',
    '99.5%',
    '0%',
    '–',
  ]);
});

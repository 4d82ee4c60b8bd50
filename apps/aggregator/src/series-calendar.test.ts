/** The steps of a time series follow the calendar of its time zone, and cover its range once. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planSeries, stepOf } from './plan-series.ts';
import { CALENDAR_STEPS, isTimeZone, stepBounds } from './series-calendar.ts';
import { SERIES_STEPS, STEP_MS } from './series-steps.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-11-26T12:34:56Z');
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
];
const range = fc
  .tuple(fc.integer({ min: 0, max: 400 * DAY_MS }), fc.integer({ min: 1, max: 2 * DAY_MS }))
  .map(([agoMs, lastsMs]) => ({ fromMs: NOW_MS - agoMs, toMs: NOW_MS - agoMs + lastsMs }));
const zone = fc.constantFrom(...ZONES);
const step = fc.constantFrom(...CALENDAR_STEPS);

test('steps follow each other and hold the range, none more than needed', () => {
  fc.assert(
    fc.property(step, zone, range, (one, timeZone, { fromMs, toMs }) => {
      const bounds = stepBounds(one, timeZone, fromMs, toMs);
      expect(bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] as number))).toBe(true);
      expect(bounds[0]).toBeLessThanOrEqual(fromMs);
      expect(bounds[1]).toBeGreaterThan(fromMs);
      expect(bounds.at(-1)).toBeGreaterThanOrEqual(toMs);
      expect(bounds.at(-2)).toBeLessThan(toMs);
    }),
  );
});

test('an hour begins at most an hour before, also next to a clock change of half an hour or at a quarter', () => {
  const changes = [
    ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30:00Z'],
    ['Pacific/Chatham', '2026-04-04T14:00:00Z'],
    ['Pacific/Chatham', '2026-09-26T14:00:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00:00Z'],
  ] as const;
  const near = fc.tuple(fc.constantFrom(...changes), fc.integer({ min: -180, max: 180 }));
  fc.assert(
    fc.property(near, ([[timeZone, change], minutes]) => {
      const fromMs = Date.parse(change) + minutes * 60_000;
      const [first = 0, second = 0] = stepBounds('hour', timeZone, fromMs, fromMs + 1);
      expect(first).toBeLessThanOrEqual(fromMs);
      expect(second).toBeGreaterThan(fromMs);
    }),
    { numRuns: 500 },
  );
});

test('days begin at midnight on the clocks of the zone, weeks on a Monday, months on the first', () => {
  fc.assert(
    fc.property(fc.constantFrom('day', 'week', 'month'), zone, range, (one, timeZone, { fromMs, toMs }) => {
      const clock = new Intl.DateTimeFormat('en-GB', {
        timeZone,
        weekday: 'short',
        day: 'numeric',
        hour: '2-digit',
        minute: '2-digit',
      });
      for (const bound of stepBounds(one, timeZone, fromMs, toMs)) {
        const parts = Object.fromEntries(clock.formatToParts(bound).map(({ type, value }) => [type, value]));
        expect(`${parts['hour']}:${parts['minute']}`).toBe('00:00');
        if (one === 'week') expect(parts['weekday']).toBe('Mon');
        if (one === 'month') expect(parts['day']).toBe('1');
      }
    }),
  );
});

test('a plan reads each moment once at most, and from its exact part on each kept step lies in one of the series', () => {
  const retention = { minute: 2 * DAY_MS, halfHour: 60 * DAY_MS, day: 730 * DAY_MS };
  fc.assert(
    fc.property(step, zone, range, (one, timeZone, { fromMs, toMs }) => {
      const bounds = stepBounds(one, timeZone, fromMs, toMs);
      const { readings, exactFromMs, keptFromMs } = planSeries({
        step: one,
        bounds,
        kept: SERIES_STEPS,
        retention,
        nowMs: NOW_MS,
      });
      const inOrder = readings.toSorted((a, b) => a.fromMs - b.fromMs);
      const misplaced: number[] = [];
      for (const [i, reading] of inOrder.entries()) {
        expect(reading.fromMs).toBeLessThan(reading.toMs);
        expect(reading.fromMs).toBeGreaterThanOrEqual(NOW_MS - retention[reading.step]);
        if (i > 0) expect(inOrder[i - 1]?.toMs).toBe(reading.fromMs);
        const stepMs = STEP_MS[reading.step];
        for (let atMs = Math.max(reading.fromMs, exactFromMs); atMs < reading.toMs; atMs += stepMs) {
          const index = stepOf(bounds, atMs, reading.step);
          if (index === -1) continue;
          const [beginsMs, endsMs] = bounds.slice(index, index + 2) as [number, number];
          if (beginsMs > atMs || endsMs < atMs + stepMs) misplaced.push(atMs);
        }
      }
      // One expectation for all: there are thousands of steps in a range.
      expect(misplaced).toEqual([]);
      if ((bounds[0] as number) >= keptFromMs && (bounds[0] as number) < NOW_MS)
        expect(inOrder[0]?.fromMs).toBeLessThanOrEqual(bounds[0] as number);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['Europe/Berlin', true],
  ['UTC', true],
  ['+01:00', false],
  ['Mars/Olympus', false],
  ['', false],
])('%s is a time zone: %s', (name, expected) => {
  expect(isTimeZone(name)).toBe(expected);
});

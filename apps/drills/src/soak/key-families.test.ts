/** What may be left in Redis, and what may not. Takes under a second. */
import { expect, test } from '@jest/globals';
import { faultOf, familyOf, KEY_FAMILIES } from './key-families.ts';

const DAY_MS = 86_400_000;
const FOR_EVER = -1;

test.each([
  ['{hookfleet:0}:webhooks:wh_1', 'queue: a job'],
  ['{hookfleet:12}:results:active', 'queue: jobs by state'],
  ['{hookfleet:0}:log:run_0', 'attempt log'],
  ['{hookfleet}:waits:origin:http://127.0.0.1:80:state', 'a lane’s pace'],
  ['{hookfleet}:settings', 'settings of the fleet'],
  ['{hookfleet}:waiting:retries', 'retries in lanes'],
  ['{hookfleet}:ready', 'readiness checks'],
  ['{hookfleet:0}:later', 'webhooks that wait for their time'],
  // A campaign's id is other people's input.
  ['{hookfleet:c:a}:lane:b:state}:totals', 'counters of a campaign'],
  ['{hookfleet:c:line\nbreak}:day:692:of', 'counters of a campaign by time'],
])('%j is of the family %s', (key, family) => {
  expect(familyOf(key)?.name).toBe(family);
});

test.each([
  ['a key of nobody', '{hookfleet}:planted:1', 1_000, 1, /no family/],
  ['a log without a lifetime', '{hookfleet:0}:log:run_0', FOR_EVER, 3, /no lifetime/],
  ['a log that outlives its retention', '{hookfleet:0}:log:run_0', 31 * DAY_MS, 3, /longer/],
  ['a job', '{hookfleet:0}:webhooks:wh_1', FOR_EVER, 5, /after the drain/],
  ['a stream that was not trimmed', '{hookfleet}:events', FOR_EVER, 20_000, /more than/],
  ['more campaigns than were sent', '{hookfleet}:campaigns', FOR_EVER, 8, /more than/],
])('at fault: %s', (_what, key, lifetimeMs, entries, fault) => {
  expect(faultOf({ key, lifetimeMs, entries }, 7)).toMatch(fault);
});

test.each([
  ['{hookfleet:0}:log:run_0', 3 * DAY_MS, 3],
  ['{hookfleet}:events', FOR_EVER, 10_100],
  ['{hookfleet}:campaigns', FOR_EVER, 7],
  ['{hookfleet}:channels', FOR_EVER, 4_000],
])('in order: %s', (key, lifetimeMs, entries) => {
  expect(faultOf({ key, lifetimeMs, entries }, 7)).toBeUndefined();
});

test('families have names of their own', () => {
  const names = KEY_FAMILIES.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

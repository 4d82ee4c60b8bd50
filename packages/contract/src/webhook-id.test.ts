/** A webhook id identifies one webhook, and is safe in URLs, headers and Redis keys. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatWebhookId, parseWebhookId, positionOf } from './webhook-id.ts';

const location = fc.record({
  shard: fc.integer({ min: 0, max: 1_023 }),
  run: fc.stringMatching(/^[0-9a-f]{12}$/),
  first: fc.integer({ min: 0, max: 4_000_000 }),
  index: fc.integer({ min: 0, max: 5_000 }),
});

test('an id tells where its webhook is, and names one place', () => {
  fc.assert(
    fc.property(location, location, (one, other) => {
      expect(parseWebhookId(formatWebhookId(one))).toEqual(one);
      const same = JSON.stringify(one) === JSON.stringify(other);
      expect(formatWebhookId(one) === formatWebhookId(other)).toBe(same);
    }),
  );
});

test('an id is safe in URLs, headers, keys of Redis and jobs of BullMQ', () => {
  fc.assert(fc.property(location, (one) => expect(formatWebhookId(one)).toMatch(/^wh_[0-9a-z_]{16,40}$/)));
});

test('what is no id is none, whatever it is', () => {
  fc.assert(fc.property(fc.string(), (text) => expect(parseWebhookId(text)).toBeUndefined()));
  for (const text of [
    'wh_0_0123456789ab_0',
    'wh_0_0123456789ab_0_0\n',
    'WH_0_0123456789ab_0_0',
    'wh__0123456789ab_0_0',
  ])
    expect(parseWebhookId(text)).toBeUndefined();
});

test("a position counts on from its bundle's first", () => {
  expect(positionOf({ shard: 0, run: '0123456789ab', first: 50, index: 7 })).toBe(57);
});

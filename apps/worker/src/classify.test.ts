/** Each response or error becomes exactly one event, with the right retry decision. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { classify } from './classify.ts';

const response = (statusCode: number) => classify({ kind: 'response', statusCode });

const NO_HTTP = {
  event: 'webhook.bounced',
  reason: 'connection',
  retriable: true,
  cause: { code: 'malformed_response' },
};

test.each([
  [100, NO_HTTP],
  [199, NO_HTTP],
  [200, { event: 'webhook.delivered', retriable: false }],
  [204, { event: 'webhook.delivered', retriable: false }],
  [299, { event: 'webhook.delivered', retriable: false }],
  [300, { event: 'webhook.error', reason: 'redirect', retriable: false }],
  [301, { event: 'webhook.error', reason: 'redirect', retriable: false }],
  [399, { event: 'webhook.error', reason: 'redirect', retriable: false }],
  [400, { event: 'webhook.error', reason: 'http_4xx', retriable: false }],
  [408, { event: 'webhook.error', reason: 'http_4xx', retriable: true }],
  [410, { event: 'webhook.error', reason: 'gone', retriable: false }],
  [425, { event: 'webhook.error', reason: 'http_4xx', retriable: true }],
  [429, { event: 'webhook.error', reason: 'http_4xx', retriable: true }],
  [499, { event: 'webhook.error', reason: 'http_4xx', retriable: false }],
  [500, { event: 'webhook.bounced', reason: 'http_5xx', retriable: true }],
  [503, { event: 'webhook.bounced', reason: 'http_5xx', retriable: true }],
  [599, { event: 'webhook.bounced', reason: 'http_5xx', retriable: true }],
  [600, NO_HTTP],
] as const)('a response of %i is classified as the outcome table says', (statusCode, expected) => {
  expect(response(statusCode)).toEqual(expected);
});

test.each(['dns', 'connection', 'tls', 'timeout', 'auth'] as const)(
  'no response because of %s bounces, and is tried again',
  (failure) => {
    expect(classify({ kind: 'failure', failure })).toEqual({
      event: 'webhook.bounced',
      reason: failure,
      retriable: true,
    });
  },
);

test.each(['blocked', 'unsendable'] as const)('%s is an error, and not tried again', (failure) => {
  expect(classify({ kind: 'failure', failure })).toEqual({
    event: 'webhook.error',
    reason: failure,
    retriable: false,
  });
});

test('every status yields exactly one event; only a delivery has no reason', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), (statusCode) => {
      const { event, reason } = response(statusCode);
      expect(event === 'webhook.delivered').toBe(statusCode >= 200 && statusCode < 300);
      expect(reason === undefined).toBe(event === 'webhook.delivered');
    }),
  );
});

/** A webhook is stored as it was written, within its limits in bytes. Takes under a second. */
import { expect, test } from '@jest/globals';
import { toEnqueue, URL_BYTES_MAX, WEBHOOK_BYTES_MAX } from './to-enqueue.ts';
import { readWebhook } from './webhook-text.ts';

const NOW_MS = Date.parse('2026-11-23T10:00:00Z');
const WEBHOOK = { campaignId: 'c', messageId: 'm', channelConfigId: 'ch' };

const checked = (changes: object, path = '') =>
  toEnqueue(readWebhook(Buffer.from(JSON.stringify({ ...WEBHOOK, ...changes }))), path, NOW_MS);

test('a body is passed on as it is, with its content type', () => {
  expect(checked({ body: '<a>ż</a>', contentType: 'application/xml' })).toMatchObject({
    webhook: { body: '<a>ż</a>', contentType: 'application/xml' },
  });
});

test.each([
  ['payload', { payload: 'ż'.repeat(WEBHOOK_BYTES_MAX / 2) }],
  ['body', { body: 'ż'.repeat(WEBHOOK_BYTES_MAX / 2 + 1), contentType: 'text/plain' }],
])('a %s is measured in bytes, not characters', (field, part) => {
  expect(checked(part, 'webhooks[2]')).toEqual({
    errors: [{ field: `webhooks[2].${field}`, type: 'TOO_LONG', detail: 'must not exceed 1 MiB' }],
  });
});

const FORM = 'application/x-www-form-urlencoded';
const HOOK = 'https://example.com/hook';

test.each([
  ['a GET', { method: 'GET' }, URL_BYTES_MAX - `${HOOK}?a=`.length, 'payload', 'x'],
  ['a GET of another alphabet', { method: 'GET' }, Math.floor((URL_BYTES_MAX - 30) / 6), 'payload', 'ż'],
  ['a form', { contentType: FORM }, WEBHOOK_BYTES_MAX - 'a='.length - 9, 'payload', 'x'],
  [
    'a form of spaces and signs',
    { contentType: FORM },
    Math.floor((WEBHOOK_BYTES_MAX - 2) / 3),
    'payload',
    '&',
  ],
])('what %s is sent as is measured, and not what it was given as', (_what, how, fits, field, letter) => {
  const destination = { url: HOOK, ...how };
  const sent = (length: number) =>
    checked({ channelConfigId: undefined, destination, payload: { a: letter.repeat(length) } });
  expect(sent(fits)).toHaveProperty('webhook');
  expect(sent(fits + 10)).toMatchObject({ errors: [{ field, type: 'TOO_LONG' }] });
});

test('of a GET whose URL is too long by itself, the URL is named', () => {
  // Its characters are fewer than a URL may have, and six bytes each.
  const destination = { url: `${HOOK}?${'ż'.repeat(2_000)}`, method: 'GET' };
  expect(checked({ channelConfigId: undefined, destination })).toMatchObject({
    errors: [{ field: 'destination.url', type: 'TOO_LONG' }],
  });
});

test('a body with half of a surrogate pair, which no bytes can carry, is refused', () => {
  expect(checked({ body: 'a\ud800', contentType: 'text/plain' })).toMatchObject({
    errors: [{ field: 'body', type: 'INVALID_VALUE' }],
  });
});

test('what cannot be kept is named beside what is wrong with other fields', () => {
  const webhook = readWebhook(
    Buffer.from('{"campaignId":1.00000000000000000001,"messageId":"m","x":1,"payload":2}'),
  );
  const { errors = [] } = toEnqueue(webhook, 'webhooks[1]', NOW_MS) as { errors?: { field: string }[] };
  expect(errors.map(({ field }) => field)).toEqual(
    ['campaignId', 'channelConfigId', 'x'].map((field) => `webhooks[1].${field}`),
  );
});

test('deliverAt reaches a year ahead, and means now where it is past', () => {
  const at = (deliverAt: string) => checked({ payload: 1, deliverAt });
  expect(at('2027-11-23T10:00:00Z')).toMatchObject({
    webhook: { deliverAtMs: Date.parse('2027-11-23T10:00:00Z') },
  });
  expect(at('2026-11-23T12:00:00+02:00')).toMatchObject({ webhook: { deliverAtMs: undefined } });
  expect(at('2028-01-01T00:00:00Z')).toMatchObject({ errors: [{ field: 'deliverAt' }] });
});

/** A webhook is stored as it was sent, within its limits in bytes. Takes under a second. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toEnqueue, WEBHOOK_BYTES_MAX } from './to-enqueue.ts';

const NOW_MS = Date.parse('2026-11-23T10:00:00Z');
const WEBHOOK = { campaignId: 'c', messageId: 'm', channelConfigId: 'ch' };

test('a payload is serialized once, and means the same when it is parsed', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (payload) => {
      const checked = toEnqueue({ ...WEBHOOK, payload }, '', NOW_MS);
      expect('webhook' in checked && JSON.parse(checked.webhook.body)).toEqual(
        JSON.parse(JSON.stringify(payload)),
      );
    }),
  );
});

test('a body is passed on as it is, with its content type', () => {
  const checked = toEnqueue({ ...WEBHOOK, body: '<a>ż</a>', contentType: 'application/xml' }, '', NOW_MS);
  expect(checked).toMatchObject({ webhook: { body: '<a>ż</a>', contentType: 'application/xml' } });
});

test.each([
  ['payload', { payload: 'ż'.repeat(WEBHOOK_BYTES_MAX / 2) }],
  ['body', { body: 'ż'.repeat(WEBHOOK_BYTES_MAX / 2 + 1), contentType: 'text/plain' }],
])('a %s is measured in bytes, not characters', (field, part) => {
  expect(toEnqueue({ ...WEBHOOK, ...part }, 'webhooks[2]', NOW_MS)).toEqual({
    errors: [{ field: `webhooks[2].${field}`, type: 'TOO_LONG', detail: 'must not exceed 1 MiB' }],
  });
});

test('deliverAt reaches a year ahead, and means now where it is past', () => {
  const at = (deliverAt: string) => toEnqueue({ ...WEBHOOK, payload: 1, deliverAt }, '', NOW_MS);
  expect(at('2027-11-23T10:00:00Z')).toMatchObject({
    webhook: { deliverAtMs: Date.parse('2027-11-23T10:00:00Z') },
  });
  expect(at('2026-11-23T12:00:00+02:00')).toMatchObject({ webhook: { deliverAtMs: undefined } });
  expect(at('2028-01-01T00:00:00Z')).toMatchObject({ errors: [{ field: 'deliverAt' }] });
});

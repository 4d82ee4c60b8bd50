/** A valid webhook passes, and each invalid field is reported once, by its path. Takes under a second. */
import { expect, test } from '@jest/globals';
import { Channel } from './channel.ts';
import { Outcome } from './outcome.ts';
import * as contract from './index.ts';
import { compileValidator, createAjv } from './validation.ts';
import { Webhook } from './webhook.ts';

// A process doesn't check its schemas when it starts (createAjv), so they are checked here.
test('every schema of the contract is valid against the meta-schema, and compiles', () => {
  const ajv = createAjv({ checkSchemas: true });
  const schemas = Object.values(contract).filter(
    (value) => typeof value === 'object' && value !== null && ('type' in value || 'anyOf' in value),
  );
  expect(schemas.length).toBeGreaterThan(20);
  for (const schema of schemas) ajv.compile(schema);
});

const webhook = compileValidator<Webhook>(Webhook);
const channel = compileValidator<Channel>(Channel);
const outcome = compileValidator<Outcome>(Outcome);

const fields = (checked: ReturnType<typeof webhook | typeof channel | typeof outcome>) =>
  'errors' in checked ? checked.errors.map(({ field, type }) => `${field} ${type}`) : [];

test("DESIGN.md's webhook passes, with each of its optional fields", () => {
  const full = {
    campaignId: 'spring-sale',
    messageId: 31,
    destination: {
      url: 'https://user:pw@example.com:8443/hook?x=%20#'.slice(0, -1),
      method: 'PATCH',
      headers: { 'X-Tenant': 'acme', 'x-latin': 'é' },
      auth: { type: 'basic', username: 'u', password: 'p:ż' },
      signingSecrets: [`whsec_${Buffer.alloc(24).toString('base64')}`],
      retry: { delaysMs: [], jitter: 0.5 },
    },
    body: '<a/>',
    contentType: 'application/xml; charset="utf-8"',
    idempotencyKey: 'order 7 ✓',
    deliverAt: '2026-11-23T10:00:00.5+01:00',
    userId: 'u-1',
  };
  expect(fields(webhook(full))).toEqual([]);
});

// Found by the fuzz of every endpoint: a leap second was a date and time, and no time at all where it was asked for.
test.each(['2016-12-31T23:59:60Z', '2026-13-01T00:00:00Z', '2026-11-23T10:00:00'])(
  '%s is no time',
  (deliverAt) => {
    const minimal = {
      campaignId: 'c',
      messageId: 'm',
      destination: { url: 'https://example.com' },
      payload: 1,
    };
    expect(fields(webhook({ ...minimal, deliverAt }))).toEqual(['deliverAt INVALID_VALUE']);
  },
);

test('each field at fault is named once, by its path, with what is wrong', () => {
  expect(
    fields(
      webhook({
        campaignId: ' ',
        destination: {
          url: 'x',
          headers: { Host: 'y' },
          signingSecrets: ['a', 'b'],
          retry: { delaysMs: [1, -1] },
        },
        payload: 1,
        extra: true,
      }),
    ).sort(),
  ).toEqual(
    [
      'messageId REQUIRED',
      'extra UNKNOWN_FIELD',
      'campaignId INVALID_VALUE',
      'destination.url INVALID_VALUE',
      'destination.headers.Host UNKNOWN_FIELD',
      'destination.signingSecrets[0] INVALID_VALUE',
      'destination.signingSecrets[1] INVALID_VALUE',
      'destination.retry.delaysMs[1] INVALID_VALUE',
    ].sort(),
  );
});

test.each([undefined, null, 1, 'text', [], true])(
  '%j is neither webhook nor channel nor outcome',
  (value) => {
    for (const validator of [webhook, channel, outcome])
      expect(fields(validator(value)).length).toBeGreaterThan(0);
  },
);

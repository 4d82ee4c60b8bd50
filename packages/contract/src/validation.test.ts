/** A valid webhook passes, and each invalid field is reported once, by its path. Takes under a second. */
import { expect, test } from '@jest/globals';
import { Channel } from './channel.ts';
import { StoredDestination } from './destination.ts';
import { Outcome } from './outcome.ts';
import * as contract from './index.ts';
import { compileValidator, createAjv, type Validator } from './validation.ts';
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

const fields = (checked: ReturnType<Validator<unknown>>) =>
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

// A URL parser takes each for http://host/; the HTTP clients do not.
test.each([
  'http:host/',
  'http:/host/',
  'http:///host/',
  'https:host',
  'http:\\\\host\\',
  ' http://host/',
  'ftp://host/',
])('%j is no URL of a webhook', (url) => {
  const minimal = { campaignId: 'c', messageId: 'm', payload: 1 };
  expect(fields(webhook({ ...minimal, destination: { url } }))).toEqual(['destination.url INVALID_VALUE']);
});

test('a field that every object inherits is not given by that', () => {
  const properties = { constructor: 'STRING', toString: 'FLOAT' } as const;
  const validate = compileValidator(contract.propertiesSchema({ properties, strict: true }));
  expect(fields(validate({}))).toEqual([]);
  expect(fields(validate({ constructor: 1 }))).toEqual(['constructor WRONG_TYPE']);
});

test.each([
  { headers: JSON.parse('{"__proto__": "x"}') as Record<string, string> },
  { auth: { type: 'header', name: '__proto__', value: 'x' } },
  { eventProperties: JSON.parse('{"__proto__": 1}') as Record<string, number> },
])('%j: a name that would be taken and then lost is refused', (changes) => {
  const minimal = { campaignId: 'c', messageId: 'm', payload: 1 };
  const destination = { url: 'https://example.com/', ...changes };
  expect(fields(webhook({ ...minimal, destination }))).not.toEqual([]);
});

test.each(['.', '..'])('an id of %j, which no URL can hold, is refused', (id) => {
  const minimal = { campaignId: 'c', messageId: 'm', channelConfigId: '1', payload: 1 };
  expect(fields(webhook(minimal))).toEqual([]);
  for (const name of ['campaignId', 'messageId', 'channelConfigId', 'userId'])
    expect(fields(webhook({ ...minimal, [name]: id }))).toEqual([`${name} INVALID_VALUE`]);
  expect(fields(webhook({ ...minimal, campaignId: `${id}a`, messageId: `a${id}` }))).toEqual([]);
});

test('a header that is named twice, in two spellings, is refused; stored, it is delivered as before', () => {
  const destination = { url: 'https://example.com/', headers: { 'X-Tenant': 'a', 'x-tenant': 'b' } };
  expect(fields(webhook({ campaignId: 'c', messageId: 'm', payload: 1, destination }))).toEqual([
    'destination.headers INVALID_VALUE',
  ]);
  expect(compileValidator(StoredDestination)(destination)).toEqual({ value: destination });
});

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

const COUNTED = { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'object' }] } };

test('a value with a great many errors gets a bounded number of them, in time that grows with its size', () => {
  const parts = 500_000;
  const numbers = Array.from({ length: parts }, () => 1);
  const large = { url: 'https://example.com/hook', signingSecrets: numbers };
  // The longest of its checks would take hours if each error looked at each other.
  expect(fields(channel(large))).toEqual(['signingSecrets TOO_LONG']);
  expect(fields(compileValidator<unknown>(COUNTED)(numbers)).length).toBe(1);
  expect(fields(compileValidator<unknown>(COUNTED)(numbers.slice(0, 900))).length).toBe(100);
  const strangers = Object.fromEntries(numbers.map((_, i) => [`k${i}`, 1]));
  expect(fields(channel({ ...strangers, url: 'x' })).length).toBe(1);
});

test('a payload of any size does not keep errors beside it from being named', () => {
  const payload = Array.from({ length: 10_000 }, () => [[]]);
  expect(fields(webhook({ campaignId: ' ', payload, extra: 1 })).sort()).toEqual([
    'campaignId INVALID_VALUE',
    'channelConfigId REQUIRED',
    'extra UNKNOWN_FIELD',
    'messageId REQUIRED',
  ]);
});

test('nesting without end is refused without a look at its end', () => {
  let nested: unknown = 1;
  for (let i = 0; i < 200_000; i += 1) nested = [nested];
  expect(fields(channel({ url: 'https://example.com/', headers: nested }))).toEqual(['headers WRONG_TYPE']);
});

test('a field whose name is as long as the body is named by its beginning', () => {
  const checked = channel({ url: 'https://example.com/', ['x'.repeat(60_000)]: 1 });
  const [error] = 'errors' in checked ? checked.errors : [];
  expect(error?.field).toMatch(/^x{256}…$/);
});

test('of a value that may be of several types, the errors of the type that it has are named', () => {
  const mixed = [1, 'whsec_x', { secret: 'x' }, { secret: 1, more: 1 }];
  expect(fields(channel({ url: 'https://example.com/', signingSecrets: mixed })).sort()).toEqual([
    'signingSecrets[0] WRONG_TYPE',
    'signingSecrets[1] INVALID_VALUE',
    'signingSecrets[2].expiresAt REQUIRED',
    'signingSecrets[2].secret INVALID_VALUE',
    'signingSecrets[3].expiresAt REQUIRED',
    'signingSecrets[3].more UNKNOWN_FIELD',
    'signingSecrets[3].secret WRONG_TYPE',
  ]);
});

const eventType = compileValidator(contract.EventType);
const url = 'https://receiver.test/';

test.each([
  [{ campaignId: 'a b' }, 'campaignId', 'must hold no blanks or control characters, and be neither . nor ..'],
  [{ idempotencyKey: '\u0000' }, 'idempotencyKey', 'must not hold control characters'],
  [
    { payload: undefined, body: 'a', contentType: 'text' },
    'contentType',
    'must be a media type, as in text/plain; charset=utf-8',
  ],
  [
    { destination: { url, method: 'HEAD' } },
    'destination.method',
    'must be one of: POST, PUT, PATCH, GET, DELETE',
  ],
  [
    { destination: { url, auth: { type: 'digest' } } },
    'destination.auth.type',
    'must be one of: basic, header, bearer, oauth2',
  ],
  [
    { destination: { url, auth: { type: 'bearer', token: 'a b' } } },
    'destination.auth.token',
    'must hold printable ASCII characters alone, without blanks',
  ],
  [
    { destination: { url, auth: { type: 'basic', username: 'a:b', password: '' } } },
    'destination.auth.username',
    'must not hold a colon or control characters',
  ],
  [
    { destination: { url, headers: { a: 'b\nc' } } },
    'destination.headers.a',
    /^must hold Latin-1 characters alone/,
  ],
  [
    { destination: { url, headers: { host: 'a' } } },
    'destination.headers.host',
    /none of the headers that belong to/,
  ],
])('%j: what is allowed is told in words', (changes, field, detail) => {
  const { payload, ...rest } = {
    campaignId: 'c',
    messageId: 'm',
    payload: 1,
    destination: { url },
    ...changes,
  } as Record<string, unknown>;
  const result = webhook({ ...rest, ...(payload !== undefined && { payload }) });
  const errors = 'errors' in result ? result.errors : [];
  expect(errors).toMatchObject([
    { field, detail: typeof detail === 'string' ? detail : expect.stringMatching(detail) },
  ]);
});

test('names of properties that are not allowed are told what is', () => {
  const result = eventType({ properties: { 'a b': 'STRING', c: 'TEXT' } });
  expect('errors' in result && result.errors).toMatchObject([
    { field: 'properties.a b', detail: 'must be 1 to 64 letters, digits, hyphens, underscores or $' },
    { field: 'properties.c', detail: expect.stringMatching(/^must be one of: STRING, INTEGER, /) },
  ]);
});

/** The requests that cost a producer the most within its limits on bodies: for tests of its event loop and memory. */
import { webhook } from './setup-producer.ts';

export interface WorstRequest {
  readonly name: string;
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly contentType: 'application/json' | 'application/x-ndjson';
  readonly body: () => string;
  /** Why it may hold the loop for longer than others. */
  readonly heldLongBy?: '250,000 headers of destinations';
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** `item` as often as fits between the ends. */
function filled(before: string, item: string, after: string, bytesMax: number, separator = ','): string {
  const room = bytesMax - Buffer.byteLength(before + after);
  const count = Math.floor(room / Buffer.byteLength(item + separator));
  return before + Array.from({ length: count }, () => item).join(separator) + after;
}

const channelUrl = '"url":"https://example.com/hook"';
const item = (payload: string) =>
  JSON.stringify(webhook({ payload: 0 })).replace('"payload":0', `"payload":${payload}`);
const event = (properties: string) => `{"event":"worst.event","campaignId":"c","properties":${properties}}`;
const BULK = '{"webhooks":[';
const SINGLE_MAX = MIB;
const BULK_MAX = 32 * MIB;
const EVENTS_MAX = 4 * MIB;

/** 5,000 webhooks whose payloads fill the body. */
function fullBulk(start: string, end: string, separator: string): string {
  const empty = item('""');
  const text = 'x'.repeat(Math.floor((BULK_MAX - 100) / 5_000) - empty.length - 1);
  return start + Array.from({ length: 5_000 }, () => item(`"${text}"`)).join(separator) + end;
}

const json = (name: string, method: 'POST' | 'PUT', path: string, body: () => string): WorstRequest => ({
  name,
  method,
  path,
  contentType: 'application/json',
  body,
});
const ndjson = (name: string, body: () => string): WorstRequest => ({
  name,
  method: 'POST',
  path: '/v1/webhooks/bulk',
  contentType: 'application/x-ndjson',
  body,
});

export const WORST_REQUESTS: readonly WorstRequest[] = [
  json('channel: signingSecrets of 64 KB of numbers', 'PUT', '/v1/channels/worst', () =>
    filled(`{${channelUrl},"signingSecrets":[`, '1', ']}', 64 * KIB),
  ),
  json('channel: 64 KB of unknown fields', 'PUT', '/v1/channels/worst', () => {
    const names = Array.from({ length: 5_500 }, (_, i) => `"k${i}":{}`);
    return `{${channelUrl},${names.join()}}`.slice(0, 64 * KIB).replace(/,[^,]*$/, '}');
  }),
  json(
    'channel: 64 KB of brackets',
    'PUT',
    '/v1/channels/worst',
    () => `${'['.repeat(32_000)}${']'.repeat(32_000)}`,
  ),
  json('event type: 64 KB of wrong properties', 'PUT', '/v1/event-types/worst.type', () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `"k${i}":[]`);
    return `{"properties":{${names.join()}}}`;
  }),
  json('controls: 64 KB of a wrong type', 'PUT', '/v1/campaigns/c/controls', () =>
    filled('{"rateLimit":[', '{}', ']}', 64 * KIB),
  ),
  json('webhook: 1 MiB of empty lists', 'POST', '/v1/webhooks', () =>
    item(filled('[', '[]', ']', SINGLE_MAX - KIB)),
  ),
  json('webhook: 1 MiB of empty objects, no campaign', 'POST', '/v1/webhooks', () =>
    item(filled('[', '{}', ']', SINGLE_MAX - KIB)).replace('"campaignId"', '"campaign"'),
  ),
  json('webhook: 1 MiB of numbers as signing secrets', 'POST', '/v1/webhooks', () =>
    item('1').replace('"url"', `${filled('"signingSecrets":[', '1', ']', SINGLE_MAX - KIB)},"url"`),
  ),
  json('webhook: 1 MiB of unknown fields', 'POST', '/v1/webhooks', () => {
    const names = Array.from({ length: 90_000 }, (_, i) => `"k${i}":1`);
    return `{"campaignId":"c",${names.join()}}`;
  }),
  json('channel test: 250 KB of brackets', 'POST', '/v1/channels/worst/test', () => {
    const levels = 125_000;
    return `{"payload":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  }),
  json('events: 4 MiB of empty objects', 'POST', '/v1/events', () => filled('[', '{}', ']', EVENTS_MAX)),
  json('events: one with 4 MiB of empty objects', 'POST', '/v1/events', () =>
    event(filled('{"a":[', '{}', ']}', EVENTS_MAX - KIB)),
  ),
  json('events: one with 4 MiB of properties', 'POST', '/v1/events', () => {
    const names = Array.from({ length: 380_000 }, (_, i) => `"${i}":1`);
    return event(`{${names.join()}}`);
  }),
  json('events: 1,000 of 4 KB', 'POST', '/v1/events', () =>
    filled('[', event(`{"b":"${'x'.repeat(4_150)}"}`), ']', EVENTS_MAX),
  ),
  json('bulk: 32 MiB of empty objects', 'POST', '/v1/webhooks/bulk', () =>
    filled(BULK, '{}', ']}', BULK_MAX),
  ),
  json('bulk: 32 MiB of empty objects beside the webhooks', 'POST', '/v1/webhooks/bulk', () =>
    filled(`${BULK}],"more":[`, '{}', ']}', BULK_MAX),
  ),
  json('bulk: 32 MiB of blanks', 'POST', '/v1/webhooks/bulk', () => `${BULK}${' '.repeat(BULK_MAX - 30)}]}`),
  json('bulk: 30 payloads of 1 MiB of empty lists', 'POST', '/v1/webhooks/bulk', () => {
    const one = item(filled('[', '[]', ']', MIB - KIB));
    return `${BULK}${Array.from({ length: 30 }, () => one).join()}]}`;
  }),
  json('bulk: 5,000 webhooks in 32 MiB', 'POST', '/v1/webhooks/bulk', () => fullBulk(BULK, ']}', ',')),
  {
    ...json('bulk: 5,000 webhooks for 5,000 destinations', 'POST', '/v1/webhooks/bulk', () => {
      const headers = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`x-${i}`, 'y'.repeat(100)]));
      const items = Array.from({ length: 5_000 }, (_, i) =>
        JSON.stringify(webhook({ destination: { url: `https://example.com/${i}`, headers } })),
      );
      return `${BULK}${items.join()}]}`;
    }),
    heldLongBy: '250,000 headers of destinations',
  },
  json('bulk: 5,000 webhooks in 32 MiB, of two bytes a character', 'POST', '/v1/webhooks/bulk', () =>
    fullBulk(BULK, ']}', ',').replaceAll('"xxxx', '"✓x'),
  ),
  ndjson('NDJSON: 31 MB of blank lines', () => '\n'.repeat(31_000_000)),
  ndjson('NDJSON: 31 MB of lines with a space', () => ' \n'.repeat(15_500_000)),
  ndjson('NDJSON: 32 MiB of empty objects', () => '{}\n'.repeat(11_000_000)),
  ndjson('NDJSON: 5,000 webhooks in 32 MiB', () => fullBulk('', '', '\n')),
];

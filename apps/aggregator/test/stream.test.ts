/** GET /v1/stream over real sockets: told what changes, bounded, and gone when the server is. Takes about 8 s. */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import type { FastifyInstance } from 'fastify';
import type { CampaignReader } from '../src/read-campaigns.ts';
import { acceptanceOf, outcomeOf, range, resultsOf } from './results-of.ts';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

const STREAMS_OF_KEY_MAX = 100;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let app: FastifyInstance;
let url: string;
let totalsRead = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  counting = setupCounting(redis.url, { temper: 'failFast' });
  await eventually(() => counting.connection.ping());
  const reader: CampaignReader = {
    ...counting.reader,
    stored(campaignId) {
      totalsRead += 1;
      return counting.reader.stored(campaignId);
    },
  };
  app = await setupApp(counting, { reader });
  await app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  await app.close();
  counting.close();
  await redis.stop();
});

interface OpenStream {
  readonly response: IncomingMessage;
  readonly events: { event: string; data: unknown }[];
  close(): void;
}

async function open(query: string, headers: Record<string, string> = {}, from = url): Promise<OpenStream> {
  const request = get(`${from}/v1/stream?${query}`, { headers, agent: false });
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const events: OpenStream['events'] = [];
  let event = '';
  response.on('error', () => undefined);
  const lines = createInterface({ input: response });
  lines.on('error', () => undefined);
  lines.on('line', (line) => {
    const [, name, value = ''] = /^(\w+): (.*)$/.exec(line) ?? [];
    if (name === 'event') event = value;
    if (name === 'data') events.push({ event, data: JSON.parse(value) });
  });
  return { response, events, close: () => request.destroy() };
}

test('a campaign is told as it is and at each change, whatever Last-Event-ID says', async () => {
  const stream = await open('campaign=told', { 'last-event-id': '17' });
  expect(stream.response.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
  });
  await eventually(() => expect(stream.events).toEqual([{ event: 'campaign', data: null }]));
  await counting.countResults(resultsOf([], [acceptanceOf('told', 0, 5)]));
  await eventually(() =>
    expect(stream.events.at(-1)).toMatchObject({ data: { messages: { accepted: 5, delivered: 0 } } }),
  );
  await counting.countResults(
    resultsOf(range(0, 5).map((position) => outcomeOf({ campaignId: 'told', position }))),
  );
  await eventually(() =>
    expect(stream.events.at(-1)).toMatchObject({ data: { messages: { delivered: 5 } } }),
  );
  expect(stream.events).toHaveLength(3);
  stream.close();
});

test('the list and the fleet are told', async () => {
  const streams = [await open('topic=campaigns'), await open('topic=fleet')];
  await eventually(() => {
    expect(streams[0]?.events.at(-1)).toMatchObject({ event: 'campaigns', data: { total: 1 } });
    expect(streams[1]?.events.at(-1)).toMatchObject({ event: 'fleet', data: { workers: [] } });
  });
  for (const stream of streams) stream.close();
});

test('pages that watch the same campaign cost one reading a second together, and beyond the bound none is opened', async () => {
  const streams = await Promise.all(Array.from({ length: STREAMS_OF_KEY_MAX }, () => open('campaign=told')));
  await eventually(() => expect(streams.every(({ events }) => events.length > 0)).toBe(true));
  const refused = await fetch(`${url}/v1/stream?campaign=told`);
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  const before = totalsRead;
  await counting.countResults(resultsOf([], [acceptanceOf('told', 5, 1)]));
  await eventually(() =>
    expect(streams.every(({ events }) => JSON.stringify(events.at(-1)).includes('"accepted":6'))).toBe(true),
  );
  // One that told it, and at most one before and one after.
  expect(totalsRead - before).toBeLessThanOrEqual(3);
  for (const stream of streams) stream.close();
  await eventually(async () => {
    const again = await open('campaign=told');
    again.close();
    expect(again.response.statusCode).toBe(200);
  });
});

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

async function listening(
  options: Parameters<typeof setupApp>[1],
): Promise<{ keyed: FastifyInstance; at: string }> {
  const keyed = await setupApp(counting, options);
  await keyed.listen({ host: '127.0.0.1', port: 0 });
  return { keyed, at: `http://127.0.0.1:${(keyed.server.address() as AddressInfo).port}` };
}

test('whoever may only look leaves streams for those who operate, and no key takes all', async () => {
  const viewers = ['a-key-of-a-viewer', 'a-key-of-another-viewer'] as const;
  const operator = 'a-key-of-an-operator';
  const { keyed, at } = await listening({
    apiKeys: [...viewers.map((key) => `read:${key}`), `operate:${operator}`],
  });
  const openAs = async (key: string) => {
    const stream = await open('campaign=told', bearer(key), at);
    return stream.response.statusCode;
  };
  const openMany = (key: string, streams: number) =>
    Promise.all(Array.from({ length: streams }, () => openAs(key)));
  expect(new Set(await openMany(viewers[0], STREAMS_OF_KEY_MAX))).toEqual(new Set([200]));
  expect(await openAs(viewers[0])).toBe(503);
  expect(new Set(await openMany(viewers[1], 50))).toEqual(new Set([200]));
  expect(await openAs(viewers[1])).toBe(503);
  expect(await openAs(operator)).toBe(200);
  await keyed.close();
});

test('a stream ends with the session that it was opened with', async () => {
  const { keyed, at } = await listening({ apiKeys: ['a-key-of-an-operator'], heartbeatMs: 20 });
  const key = bearer('a-key-of-an-operator');
  const signedIn = await fetch(`${at}/v1/session`, { method: 'POST', headers: key });
  const cookie = String(signedIn.headers.get('set-cookie')).split(';')[0] as string;
  const [ofSession, ofKey] = [await open('topic=fleet', { cookie }, at), await open('topic=fleet', key, at)];
  await eventually(() => expect(ofSession.events.length).toBeGreaterThan(0));
  const ended = once(ofSession.response, 'close');
  await fetch(`${at}/v1/session`, { method: 'DELETE', headers: { cookie, 'x-hookfleet-page': '1' } });
  await ended;
  expect((await fetch(`${at}/v1/campaigns`, { headers: { cookie } })).status).toBe(401);
  expect(ofKey.response.closed).toBe(false);
  ofKey.close();
  await keyed.close();
});

test('a stream shows that it is alive though nothing changes', async () => {
  const { keyed, at } = await listening({ heartbeatMs: 20 });
  const stream = await open('campaign=never-read', {}, at);
  await eventually(() => expect(stream.events.map(({ event }) => event)).toContain('alive'));
  stream.close();
  await keyed.close();
});

test('HEAD opens none', async () => {
  const { status, headers } = await fetch(`${url}/v1/stream`, { method: 'HEAD' });
  expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
});

test('while Redis is away a page is told that its numbers are stale, and afterwards that they are not', async () => {
  const stream = await open('campaign=told');
  await eventually(() => expect(stream.events).toHaveLength(1));
  redis.suspend();
  await eventually(() => expect(stream.events.at(-1)).toEqual({ event: 'stale', data: { stale: true } }));
  // Who comes now is told so too, of what was read before and of what was not.
  const late = [await open('campaign=told'), await open('campaign=never-read')];
  for (const { events } of late)
    await eventually(() => expect(events.at(-1)).toEqual({ event: 'stale', data: { stale: true } }));
  redis.resume();
  for (const { events } of late)
    await eventually(() => expect(events.at(-1)).not.toEqual({ event: 'stale', data: { stale: true } }));
  for (const one of late) one.close();
  await eventually(() => expect(stream.events.at(-1)).toEqual({ event: 'stale', data: { stale: false } }));
  stream.close();
});

test('a server that stops ends its streams', async () => {
  const own = await setupApp(counting);
  await own.listen({ host: '127.0.0.1', port: 0 });
  const request = get(`http://127.0.0.1:${(own.server.address() as AddressInfo).port}/v1/stream`);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  // A stream has no end of its own: the server ends it, and does not wait for it.
  await Promise.all([once(response, 'end'), own.close()]);
});

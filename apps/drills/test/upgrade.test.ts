/**
 * What the version before left in Redis when it was stopped in the middle of everything (upgrade/write-state.ts), and this
 * version goes on from: channels and counters are read, each webhook is delivered and counted, none of those that had
 * ended is sent again.
 * Takes about 5 s.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  eventually,
  type HttpProxy,
  type Receiver,
  startHttpProxy,
  startReceiver,
  startTestRedis,
} from '@hookfleet/testkit';
import { type FleetProcess, startFleetProcess, totalsOf } from './watched-fleet.ts';
import { restoreState, type StateBefore } from './upgrade/read-state.ts';

const STATE = new URL('upgrade/before.ndjson', import.meta.url);

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let before: StateBefore;
let receiver: Receiver;
let proxy: HttpProxy;
let producer: FleetProcess;
let aggregator: FleetProcess;

beforeAll(async () => {
  redis = await startTestRedis();
  before = await restoreState(STATE, redis.url);
  receiver = await startReceiver();
  const port = Number(new URL(receiver.url).port);
  proxy = await startHttpProxy((host) => (host === 'receiver.example' ? { port } : { refused: 403 }));
  [producer, aggregator] = await Promise.all([
    startFleetProcess('producer', redis.url),
    startFleetProcess('aggregator', redis.url),
  ]);
}, 120_000);

afterAll(async () => {
  await Promise.all([producer?.stop(), aggregator?.stop()]);
  await proxy?.close();
  await receiver?.close();
  await redis?.stop();
});

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${producer.url}/v1/${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  expect(response.status).toBeLessThan(300);
  return (await response.json()) as Record<string, unknown>;
}

const idsOf = (...kinds: string[]) => kinds.flatMap((kind) => before.ids[kind] ?? []);

test('what was counted is counted, and an audit finds each of its marks again', async () => {
  const { latency, ...ended } = before.ended;
  expect(await totalsOf(aggregator, 'ended')).toMatchObject(ended);
  expect(latency).toMatchObject({ p50: expect.any(Number) });
  const dayMs = 86_400_000;
  const fromMs = Math.floor(Date.parse(String(ended['firstEventAt'])) / dayMs) * dayMs;
  const [from, to] = [fromMs, fromMs + 2 * dayMs].map((ms) => new Date(ms).toISOString());
  const series = await fetch(
    `${aggregator.url}/v1/campaigns/ended/series?from=${from}&to=${to}&step=day&groupBy=messageId`,
  );
  const { totals, groups } = (await series.json()) as { totals: object; groups: { name: string }[] };
  // Of each message fifteen webhooks, five of which bounced once.
  expect(totals).toEqual({ 'message-0': 2 * before.count, 'message-1': 2 * before.count });
  expect(groups.map(({ name }) => name).sort()).toEqual(['message-0', 'message-1']);
  const audit = await fetch(`${aggregator.url}/v1/campaigns/ended/audit`);
  expect(await audit.json()).toMatchObject({ differences: [] });
});

test('webhooks are found, with their attempts, as they ended or as they wait', async () => {
  const look = async (kind: string) => call('GET', `webhooks/${before.ids[kind]?.[0]}`);
  expect(await look('delivered')).toMatchObject({ state: 'delivered', attempts: [{ statusCode: 200 }] });
  expect(await look('bounced')).toMatchObject({
    state: 'delivered',
    attempts: [{ statusCode: 503 }, { statusCode: 200 }],
  });
  expect(await look('failed')).toMatchObject({
    state: 'failed',
    attempts: [{ statusCode: 422, responseBody: 'no such recipient' }],
  });
  for (const kind of ['held', 'paused', 'batched', 'retried', 'scheduled', 'hung', 'unseen'])
    expect([kind, await look(kind)]).toEqual([kind, expect.objectContaining({ messageId: 'message-0' })]);
});

test('channels are read, secrets apart', async () => {
  for (const [id, { url, retry, batch, headers }] of Object.entries(before.channels) as [string, Channel][])
    expect(await call('GET', `channels/${id}`)).toMatchObject({
      url,
      ...(retry && { retry }),
      ...(batch && { batch }),
      ...(headers && { headers: expect.anything() }),
    });
});

interface Channel {
  readonly url: string;
  readonly retry?: object;
  readonly batch?: object;
  readonly headers?: object;
}

test('a call that is sent again enqueues nothing twice', async () => {
  expect(await call('POST', 'webhooks', before.again)).toEqual({ id: before.ids['again']?.[0] });
});

test('what waited is delivered and counted: jobs, retries, lanes, lots, and what a killed worker had in hand', async () => {
  // The version before sent to receivers that are no more.
  for (const [id, channel] of Object.entries(before.channels))
    await call('PUT', `channels/${id}`, { ...channel, url: `${receiver.url}/${id}` });
  const worker = await startFleetProcess('worker', redis.url, {
    HTTP_PROXY: proxy.url,
    // What the killed worker had in hand is looked for so often.
    HOOKFLEET_STALLED_INTERVAL: '500ms',
  });
  await call('POST', 'channels/paused/resume');
  await call('POST', 'campaigns/held/resume');
  const waiting = idsOf('paused', 'batched', 'retried', 'scheduled', 'uncounted', 'hung', 'unseen', 'again');
  await eventually(
    async () => {
      for (const [campaignId, count] of [
        ['waiting', waiting.length],
        ['held', before.count],
      ] as const)
        expect((await totalsOf(aggregator, campaignId)).messages).toMatchObject({
          accepted: count,
          delivered: count,
          failed: 0,
          pending: 0,
        });
    },
    { timeoutMs: 60_000 },
  );
  const sent = receiver.ledger.map(({ request }) => request.webhookId);
  const alone = idsOf('held', 'paused', 'retried', 'scheduled', 'hung', 'unseen', 'again');
  expect(sent.filter((id) => alone.includes(id ?? '')).sort()).toEqual(alone.sort());
  const batches = receiver.ledger.filter(({ request }) => request.path === '/batched');
  const members = batches.flatMap(
    ({ request }) => (JSON.parse(String(request.body)) as { messages: { id: string }[] }).messages,
  );
  expect(members.map(({ id }) => id).sort()).toEqual(idsOf('batched').sort());
  expect(sent).toHaveLength(alone.length + batches.length);

  // Dead letters can be replayed.
  await call('POST', 'campaigns/ended/replay', {});
  await eventually(
    async () =>
      expect((await totalsOf(aggregator, 'ended')).messages).toMatchObject({
        delivered: 3 * before.count,
        failed: 0,
        pending: 0,
      }),
    { timeoutMs: 60_000 },
  );
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
}, 120_000);

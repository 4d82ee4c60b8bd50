/**
 * Traces by the fleet's real processes and a real OTLP receiver: one upstream call is one trace, from the call through
 * queue and attempts to the counter. Its caller is a stranger: what it writes into the headers is data.
 * Takes about 7 s.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import {
  type CollectedSpan,
  eventually,
  type Receiver,
  startReceiver,
  startTraceCollector,
  type TraceCollector,
} from '@hookfleet/testkit';
import { type FleetUnderTest, startFleet, totalsOf } from './fleet-under-test.ts';

jest.setTimeout(120_000);

let fleet: FleetUnderTest;
let receiver: Receiver;
let collector: TraceCollector;

beforeAll(async () => {
  collector = await startTraceCollector();
  const firstAnswers: Readonly<Record<string, number>> = { '/503-200': 503, '/404-200': 404 };
  receiver = await startReceiver(({ nth, path }) => ({ status: (nth === 1 && firstAnswers[path]) || 200 }));
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    // Calls without a caller's trace are left out: each test sees its own alone.
    OTEL_TRACES_SAMPLER: 'parentbased_always_off',
    LOG_LEVEL: 'debug',
  };
  fleet = await startFleet(environment);
});

afterAll(async () => {
  await fleet.stop();
  await Promise.all([receiver.close(), collector.close()]);
});

interface Caller {
  readonly traceId: string;
  readonly spanId: string;
  readonly headers: Record<string, string>;
}

function caller({ flags = '01' } = {}): Caller {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, headers: { traceparent: `00-${traceId}-${spanId}-${flags}` } };
}

async function post(path: string, body: unknown, headers: Record<string, string>): Promise<unknown> {
  const response = await fetch(`${fleet.producer.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(202);
  return response.json();
}

async function putChannel(id: string, channel: object): Promise<void> {
  const response = await fetch(`${fleet.producer.url}/v1/channels/${id}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ url: `${receiver.url}/${id}`, ...channel }),
  });
  expect(response.ok).toBe(true);
}

function webhookTo(path: string, campaignId: string, destination: object = {}) {
  return {
    campaignId,
    messageId: 'welcome',
    destination: { url: `${receiver.url}/${path}`, retry: { delaysMs: [20], jitter: 0 }, ...destination },
    payload: { hello: 'world' },
  };
}

function spansOf(traceId: string, name?: string): CollectedSpan[] {
  return collector.spans.filter(
    (span) => span.traceId === traceId && (name === undefined || span.name === name),
  );
}

/** All of a trace, once so many outcomes were counted and every span that others name is here: each process sends its own. */
async function traceOf({ traceId, spanId }: Caller, counted: number): Promise<readonly CollectedSpan[]> {
  return eventually(async () => {
    const spans = spansOf(traceId);
    const counts = spans
      .filter(({ name }) => name === 'process results')
      .map(({ attributes }) => Number(attributes['messaging.batch.message_count']));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(counted);
    const here = new Set([spanId, ...spans.map((span) => span.spanId)]);
    const named = spans.flatMap(({ parentSpanId, links }) => [
      parentSpanId,
      ...links.map((link) => link.spanId),
    ]);
    expect(named.filter((one) => !here.has(one))).toEqual([]);
    return spans;
  });
}

async function delivered(campaignId: string, messages: number): Promise<void> {
  await eventually(async () =>
    expect((await totalsOf(fleet.aggregator, campaignId)).messages.delivered).toBe(messages),
  );
}

const shortly = ({ service, kind, name }: CollectedSpan) => `${service} ${kind}: ${name}`;

test('one upstream call is one trace: the call, what it sent, each attempt, and their counting', async () => {
  const upstream = caller();
  const { id } = (await post('/v1/webhooks', webhookTo('503-200', 'retried'), upstream.headers)) as {
    id: string;
  };
  const spans = await traceOf(upstream, 2);
  expect(spans.map(shortly).sort()).toEqual([
    'hookfleet-aggregator consumer: process results',
    'hookfleet-aggregator consumer: process results',
    'hookfleet-producer producer: send webhooks',
    'hookfleet-producer server: POST /v1/webhooks',
    'hookfleet-worker consumer: process webhooks',
    'hookfleet-worker consumer: process webhooks',
  ]);
  const named = (name: string) => spans.filter((span) => span.name === name);
  const [call] = named('POST /v1/webhooks');
  const [sent] = named('send webhooks');
  const [first, second] = named('process webhooks').sort(
    (a, b) => Number(a.attributes['hookfleet.attempt']) - Number(b.attributes['hookfleet.attempt']),
  );
  expect(call?.parentSpanId).toBe(upstream.spanId);
  expect(sent?.parentSpanId).toBe(call?.spanId);
  expect([first?.parentSpanId, second?.parentSpanId]).toEqual([sent?.spanId, sent?.spanId]);
  expect(new Set(named('process results').map(({ parentSpanId }) => parentSpanId))).toEqual(
    new Set([first?.spanId, second?.spanId]),
  );
  const facts = {
    'messaging.message.id': id,
    'hookfleet.campaign_id': 'retried',
    'server.address': '127.0.0.1',
  };
  expect(first).toMatchObject({
    isError: true,
    attributes: {
      ...facts,
      'hookfleet.attempt': 1,
      'hookfleet.event': 'webhook.bounced',
      'hookfleet.reason': 'http_5xx',
      'hookfleet.final': false,
      'http.response.status_code': 503,
    },
  });
  expect(second).toMatchObject({
    isError: false,
    attributes: {
      ...facts,
      'hookfleet.attempt': 2,
      'hookfleet.event': 'webhook.delivered',
      'hookfleet.final': true,
      'http.response.status_code': 200,
    },
  });
});

test('the log lines of the call and of each attempt carry the trace id and the span id', async () => {
  const upstream = caller();
  const { id } = (await post('/v1/webhooks', webhookTo('logged', 'logged'), upstream.headers)) as {
    id: string;
  };
  const [attempt] = await traceOf(upstream, 1).then((spans) =>
    spans.filter(({ name }) => name === 'process webhooks'),
  );
  const [call] = spansOf(upstream.traceId, 'POST /v1/webhooks');
  const enqueued = await fleet.producer.waitForLog(({ webhookId }) => webhookId === id);
  expect(enqueued).toMatchObject({ trace_id: upstream.traceId, span_id: call?.spanId });
  const attempted = await fleet.worker.waitForLog(({ webhookId }) => webhookId === id);
  expect(attempted).toMatchObject({ trace_id: upstream.traceId, span_id: attempt?.spanId });
});

test('a bulk call is one trace with a span for each attempt, each of which one counting points to', async () => {
  const upstream = caller();
  const webhooks = Array.from({ length: 200 }, () => webhookTo('bulk', 'bulk'));
  await post('/v1/webhooks/bulk', { webhooks }, upstream.headers);
  const spans = await traceOf(upstream, 200);
  const attempts = spans.filter(({ name }) => name === 'process webhooks');
  expect(attempts.length).toBe(200);
  const counting = spans.filter(({ name }) => name === 'process results');
  const pointedTo = counting.flatMap(({ parentSpanId, links }) => [
    parentSpanId,
    ...links.map(({ spanId }) => spanId),
  ]);
  expect(pointedTo.sort()).toEqual(attempts.map(({ spanId }) => spanId).sort());
});

test('webhooks of several callers that leave in a batch share its attempt, which points to each of them', async () => {
  await putChannel('batched', { batch: { size: 50, maxWaitMs: 500 } });
  const callers = [caller(), caller(), caller()];
  const webhook = { campaignId: 'batched', messageId: 'welcome', channelConfigId: 'batched', payload: {} };
  for (const { headers } of callers) await post('/v1/webhooks', webhook, headers);
  await delivered('batched', 3);
  const [attempt] = await eventually(async () => {
    const found = callers.flatMap(({ traceId }) => spansOf(traceId, 'process webhooks'));
    expect(found.length).toBe(1);
    return found;
  });
  const sent = callers.map(({ traceId }) => spansOf(traceId, 'send webhooks')[0]?.spanId);
  expect([attempt?.parentSpanId, ...(attempt?.links ?? []).map(({ spanId }) => spanId)].sort()).toEqual(
    sent.sort(),
  );
  expect(attempt?.attributes['messaging.batch.message_count']).toBe(3);
});

test('a replay goes on in the trace of the call that brought the webhook in', async () => {
  const upstream = caller();
  const webhook = webhookTo('404-200', 'replayed');
  const { id } = (await post('/v1/webhooks', webhook, upstream.headers)) as { id: string };
  await traceOf(upstream, 1);
  await post(`/v1/webhooks/${id}/replay`, {}, {});
  const spans = await traceOf(upstream, 2);
  const attempts = spans.filter(({ name }) => name === 'process webhooks');
  expect(attempts.map(({ attributes }) => attributes['http.response.status_code']).sort()).toEqual([
    200, 404,
  ]);
});

test('custom events are traced from the call to the counter', async () => {
  await fetch(`${fleet.producer.url}/v1/event-types/whatsapp.read`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const upstream = caller();
  await post('/v1/events', { campaignId: 'read', event: 'whatsapp.read' }, upstream.headers);
  const spans = await traceOf(upstream, 1);
  expect(spans.map(shortly).sort()).toEqual([
    'hookfleet-aggregator consumer: process results',
    'hookfleet-producer producer: send results',
    'hookfleet-producer server: POST /v1/events',
  ]);
});

test('a destination gets the trace context where it wishes for it, and there alone', async () => {
  const upstream = caller();
  const headers = { ...upstream.headers, tracestate: 'vendor=of-upstream' };
  await post('/v1/webhooks', webhookTo('wished', 'wished', { traceContext: true }), headers);
  await post('/v1/webhooks', webhookTo('unwished', 'wished'), headers);
  await delivered('wished', 2);
  const sentTo = (path: string) =>
    receiver.ledger.find(({ request }) => request.path === path)?.request.headers;
  const [, traceId, spanId, flags] = String(sentTo('/wished')?.['traceparent']).split('-');
  expect({ traceId, flags }).toEqual({ traceId: upstream.traceId, flags: '01' });
  const spans = await traceOf(upstream, 2);
  const attempts = spans.filter(({ name }) => name === 'process webhooks');
  expect(attempts.map((span) => span.spanId)).toContain(spanId);
  expect(sentTo('/wished')?.['tracestate']).toBe('vendor=of-upstream');
  expect(sentTo('/unwished')?.['traceparent']).toBeUndefined();
});

test('an upstream that does not sample is not traced, and nothing is sent on', async () => {
  const upstream = caller({ flags: '00' });
  await post('/v1/webhooks', webhookTo('unsampled', 'unsampled', { traceContext: true }), upstream.headers);
  await delivered('unsampled', 1);
  // A later call that is traced shows that what came before would have been here.
  const later = caller();
  await post('/v1/webhooks', webhookTo('later', 'later'), later.headers);
  await traceOf(later, 1);
  expect(spansOf(upstream.traceId)).toEqual([]);
  const sent = receiver.ledger.find(({ request }) => request.path === '/unsampled');
  expect(sent?.request.headers['traceparent']).toBeUndefined();
});

test.each([
  ['no traceparent', 'x'.repeat(60)],
  ['zeros', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`],
  ['a version that is none', `ff-${'1'.repeat(32)}-${'2'.repeat(16)}-01`],
  ['two of them', `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01, 00-${'3'.repeat(32)}-${'4'.repeat(16)}-01`],
  ['kilobytes', `01-${'1'.repeat(32)}-${'2'.repeat(16)}-01-${'x'.repeat(8_000)}`],
])('a traceparent of %s is left out, and the webhook delivered', async (name, traceparent) => {
  const campaignId = `hostile-${name.replaceAll(' ', '-')}`;
  const before = collector.spans.length;
  await post('/v1/webhooks', webhookTo(campaignId, campaignId, { traceContext: true }), { traceparent });
  await delivered(campaignId, 1);
  const sent = receiver.ledger.find(({ request }) => request.path === `/${campaignId}`);
  expect(sent?.request.headers['traceparent']).toBeUndefined();
  const later = caller();
  await post('/v1/webhooks', webhookTo('later', 'later'), later.headers);
  await traceOf(later, 1);
  expect(collector.spans.slice(before).filter(({ traceId }) => traceId !== later.traceId)).toEqual([]);
});

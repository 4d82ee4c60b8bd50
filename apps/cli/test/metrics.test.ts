/**
 * The metrics of each process, read as Prometheus reads them, agree with a campaign whose numbers are known.
 * Takes about 7 s.
 */
import { totalmem } from 'node:os';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { VERSION } from '@hookfleet/runtime';
import { eventually, parsePrometheus, type Receiver, sampleValue, startReceiver } from '@hookfleet/testkit';
import {
  accepted,
  enqueue,
  type FleetUnderTest,
  type ProcessUnderTest,
  startFleet,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

jest.setTimeout(120_000);

// RECOVERY of fleet-under-test.ts: no attempt takes longer.
const ATTEMPT_TIMEOUT_S = 2;

let fleet: FleetUnderTest;
let startedAtMs: number;
let receiver: Receiver;

beforeAll(async () => {
  startedAtMs = Date.now();
  receiver = await startReceiver(({ nth, body }) => {
    const { number } = JSON.parse(body.toString()) as { number: number };
    if (number < 5) return { status: 404, delayMs: 10 };
    return number < 15 && nth === 1 ? { status: 503, delayMs: 10 } : { status: 200, delayMs: 10 };
  });
  fleet = await startFleet();
  const retry = { delaysMs: [20], jitter: 0 };
  await accepted(await enqueue(fleet.producer, webhooksTo(receiver.url, 'measured', 50, { retry })));
  await eventually(async () =>
    expect((await totalsOf(fleet.aggregator, 'measured')).messages).toMatchObject({
      delivered: 45,
      failed: 5,
    }),
  );
});

afterAll(async () => {
  await fleet.stop();
  await receiver.close();
});

async function metricsOf({ url }: ProcessUnderTest) {
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  return parsePrometheus(await response.text());
}

test('each process tells which version runs', async () => {
  for (const one of [fleet.producer, fleet.worker, fleet.aggregator])
    expect(sampleValue(await metricsOf(one), 'hookfleet_build_info', { version: VERSION })).toBe(1);
});

test('a producer tells what it accepted', async () => {
  const families = await metricsOf(fleet.producer);
  expect(families.get('hookfleet_webhooks_enqueued_total')?.type).toBe('counter');
  expect(sampleValue(families, 'hookfleet_webhooks_enqueued_total')).toBe(50);
});

test('a worker tells its attempts by event and reason, their durations, and the latency of deliveries', async () => {
  // The aggregator may count an outcome before its worker gives the slot back.
  const families = await eventually(async () => {
    const found = await metricsOf(fleet.worker);
    expect(sampleValue(found, 'hookfleet_in_flight')).toBe(0);
    return found;
  });
  expect(families.get('hookfleet_attempts_total')?.type).toBe('counter');
  const attempts = (labels: Record<string, string>) =>
    sampleValue(families, 'hookfleet_attempts_total', labels);
  expect(attempts({ event: 'webhook.delivered', reason: '' })).toBe(45);
  expect(attempts({ event: 'webhook.bounced', reason: 'http_5xx' })).toBe(10);
  expect(attempts({ event: 'webhook.error', reason: 'http_4xx' })).toBe(5);
  expect(families.get('hookfleet_attempt_duration_seconds')?.type).toBe('histogram');
  expect(sampleValue(families, 'hookfleet_attempt_duration_seconds_count')).toBe(60);
  // The receiver waits 10 ms before each answer: in seconds, not in milliseconds.
  const seconds = sampleValue(families, 'hookfleet_attempt_duration_seconds_sum');
  expect(seconds).toBeGreaterThan(60 * 0.009);
  expect(seconds).toBeLessThanOrEqual(60 * ATTEMPT_TIMEOUT_S);
  expect(families.get('hookfleet_delivery_latency_seconds')?.type).toBe('histogram');
  expect(sampleValue(families, 'hookfleet_delivery_latency_seconds_count')).toBe(45);
  const deadLetters = (reason: string) => sampleValue(families, 'hookfleet_dead_letters_total', { reason });
  expect(families.get('hookfleet_dead_letters_total')?.type).toBe('counter');
  expect([deadLetters('http_4xx'), deadLetters('http_5xx'), deadLetters('gone')]).toEqual([5, 0, 0]);
  expect(sampleValue(families, 'hookfleet_concurrency')).toBe(200);
  expect(families.get('hookfleet_in_flight')?.type).toBe('gauge');
});

test('an aggregator tells the queues, the backlog, the campaigns, and that nothing is unaccounted for', async () => {
  const families = await eventually(async () => {
    const found = await metricsOf(fleet.aggregator);
    // A sample of the queues may be a few seconds old, and of the middle of the campaign.
    for (const queue of ['webhooks', 'results']) {
      for (const state of ['waiting', 'active', 'delayed', 'failed'])
        expect(sampleValue(found, 'hookfleet_queue_jobs', { queue, state })).toBe(0);
      expect(sampleValue(found, 'hookfleet_queue_oldest_seconds', { queue })).toBe(0);
    }
    expect(sampleValue(found, 'hookfleet_backlog_seconds')).toBe(0);
    expect(
      sampleValue(found, 'hookfleet_campaign_events_total', {
        campaign_id: 'measured',
        event: 'webhook.delivered',
      }),
    ).toBe(45);
    return found;
  });
  expect(families.get('hookfleet_queue_jobs')?.type).toBe('gauge');
  expect(families.get('hookfleet_campaign_events_total')?.type).toBe('counter');
  expect(families.get('hookfleet_unaccounted')?.type).toBe('gauge');
  expect(sampleValue(families, 'hookfleet_unaccounted')).toBe(0);
});

test('an aggregator tells how full Redis is, which circuits are not closed, and when it last looked', async () => {
  const families = await metricsOf(fleet.aggregator);
  const node = fleet.redisUrl.slice('redis://'.length);
  const used = sampleValue(families, 'hookfleet_redis_memory_used_bytes', { node });
  expect(used).toBeGreaterThan(100_000);
  // No maxmemory is set: the machine's.
  expect(sampleValue(families, 'hookfleet_redis_memory_limit_bytes', { node })).toBe(totalmem());
  for (const state of ['open', 'paused'])
    expect(sampleValue(families, 'hookfleet_circuits', { state })).toBe(0);
  const sampledAtMs = sampleValue(families, 'hookfleet_sampled_timestamp_seconds') * 1000;
  expect(sampledAtMs).toBeGreaterThanOrEqual(startedAtMs);
  expect(sampledAtMs).toBeLessThanOrEqual(Date.now());
});

test('every process tells the Node.js defaults', async () => {
  for (const one of [fleet.producer, fleet.worker, fleet.aggregator])
    expect((await metricsOf(one)).get('process_cpu_seconds_total')?.type).toBe('counter');
});

test('logs hold the ids of the webhook and the campaign, no payload, and no secret', async () => {
  const logsNow = () => [fleet.producer, fleet.worker, fleet.aggregator].flatMap(({ logs }) => logs);
  // Deliveries are logged at debug: of 60 attempts these 15 were none. A line may come after its outcome is counted.
  const attempts = await eventually(() => {
    const found = logsNow().filter(({ msg }) => msg === 'attempt.recorded');
    expect(found.length).toBeGreaterThanOrEqual(15);
    return found;
  });
  expect(attempts.length).toBe(15);
  for (const log of attempts) {
    expect(log).toMatchObject({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      webhookId: expect.stringMatching(/^wh_/),
      campaignId: 'measured',
      messageId: expect.any(String),
      attempt: expect.any(Number),
      event: expect.any(String),
    });
  }
  expect(JSON.stringify(logsNow())).not.toContain('"number"');
});

/** What is written when an attempt has ended, how often it may be repeated, and for how long it is kept. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Results } from '@hookfleet/contract';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import { attemptLogKey, deadLettersKey } from '../src/keys.ts';
import {
  createOutcomeRecorder,
  disconnectRedis,
  openWebhooksOut,
  type OutcomeRecorder,
  readBundleLog,
  type RedisConnection,
  createSecretBox,
} from '../src/index.ts';
import { backlogOf, BOUNCED, bundleOf, connect, outcomeOf } from './setup-queue.ts';

const RETENTION = { attemptsMs: 3_600_000, deadLettersMs: 7_200_000 };

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let connection: RedisConnection;
let prefix: string;
let recorder: OutcomeRecorder;
let retries: Queue;
let results: Queue;
let prefixes = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  connection = connect(redis.url);
});

afterAll(async () => {
  disconnectRedis(connection);
  await redis.stop();
});

beforeEach(() => {
  prefixes += 1;
  prefix = `t${prefixes}`;
  recorder = createOutcomeRecorder({
    connection,
    prefix,
    shards: 1,
    backlog: backlogOf(connection, prefix),
    retention: RETENTION,
    onError: () => undefined,
  });
  [retries, results] = ['webhooks', 'results'].map(
    (name) => new Queue(name, { connection, prefix: `{${prefix}:0}` }),
  ) as [Queue, Queue];
});

const tag = () => `{${prefix}:0}`;
const outcomesIn = async () =>
  (await results.getJobs(['waiting'])).flatMap(({ data }) => (data as Results).outcomes ?? []);

test('outcomes that end together share results jobs of at most fifty', async () => {
  const bundle = bundleOf(120);
  await Promise.all(
    bundle.webhooks.map((webhook) =>
      recorder.record(0, bundle, webhook, {
        outcome: outcomeOf(bundle, webhook),
        nextAttemptAtMs: undefined,
      }),
    ),
  );
  const jobs = await results.getJobs(['waiting']);
  expect(jobs).toHaveLength(3);
  const ids = jobs.flatMap(({ data }) =>
    ((data as Results).outcomes ?? []).map(({ webhookId }) => webhookId),
  );
  expect(new Set(ids).size).toBe(120);
  await recorder.close();
});

test('a webhook that is to be tried again leaves as a job of its own, under one id however often it is written', async () => {
  const bundle = bundleOf(3, { claim: true });
  const [, webhook] = bundle.webhooks;
  if (webhook === undefined) throw new Error('three webhooks');
  const nextAttemptAtMs = Date.now() + 60_000;
  const recorded = { outcome: outcomeOf(bundle, webhook, BOUNCED), nextAttemptAtMs };
  await recorder.record(0, bundle, webhook, recorded);
  await recorder.resume(0, bundle, webhook, recorded);
  const jobs = await retries.getJobs(['delayed']);
  expect(jobs.map(({ id }) => id)).toEqual(['0123456789ab_0_1_2']);
  expect(jobs[0]?.data).toMatchObject({ attempt: 2, webhooks: [webhook] });
  expect(jobs[0]?.data).not.toHaveProperty('claim');
  expect(jobs[0]?.delay).toBeGreaterThan(59_000);
  await recorder.close();
});

test('the first record of an attempt stands', async () => {
  const bundle = bundleOf(1);
  const webhook = bundle.webhooks[0] as (typeof bundle.webhooks)[0];
  await recorder.record(0, bundle, webhook, {
    outcome: outcomeOf(bundle, webhook, { durationMs: 1 }),
    nextAttemptAtMs: undefined,
  });
  await recorder.record(0, bundle, webhook, {
    outcome: outcomeOf(bundle, webhook, { ...BOUNCED, durationMs: 2 }),
    nextAttemptAtMs: Date.now(),
  });
  const { attempts } = await readBundleLog(connection, tag(), bundle);
  expect(attempts.get(0)).toMatchObject([{ attempt: 1, event: 'webhook.delivered', durationMs: 1 }]);
  await recorder.close();
});

test('a webhook that ended undelivered is kept as a dead letter, whole, and longer', async () => {
  const bundle = bundleOf(2);
  const [delivered, failed] = bundle.webhooks as [(typeof bundle.webhooks)[0], (typeof bundle.webhooks)[0]];
  const key = attemptLogKey(tag(), bundle.run, bundle.first);
  await recorder.record(0, bundle, delivered, {
    outcome: outcomeOf(bundle, delivered),
    nextAttemptAtMs: undefined,
  });
  expect(await connection.pttl(key)).toBeLessThanOrEqual(RETENTION.attemptsMs);
  const outcome = outcomeOf(bundle, failed, { event: 'webhook.error', reason: 'http_4xx', statusCode: 404 });
  await recorder.record(0, bundle, failed, { outcome, nextAttemptAtMs: undefined });
  expect(await connection.pttl(key)).toBeGreaterThan(RETENTION.attemptsMs);
  expect(JSON.parse((await connection.hget(key, '1.webhook')) ?? '')).toEqual(failed);
  expect(await connection.hexists(key, '0.webhook')).toBe(0);
  expect(await connection.zrange(deadLettersKey(tag(), 'c'), '0', '-1')).toEqual([outcome.webhookId]);
  await recorder.close();
});

test('the log outlives the wait for the next attempt', async () => {
  const bundle = bundleOf(1);
  const webhook = bundle.webhooks[0] as (typeof bundle.webhooks)[0];
  const nextAttemptAtMs = Date.now() + 10 * RETENTION.attemptsMs;
  await recorder.record(0, bundle, webhook, {
    outcome: outcomeOf(bundle, webhook, BOUNCED),
    nextAttemptAtMs,
  });
  const ttl = await connection.pttl(attemptLogKey(tag(), bundle.run, bundle.first));
  expect(Date.now() + ttl).toBeGreaterThan(nextAttemptAtMs);
  await recorder.close();
});

test('what is told of a webhook follows its attempts', async () => {
  const out = openWebhooksOut({
    connection,
    prefix,
    shards: 1,
    bundleSize: 5,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    priorityOf: () => 'normal',
    onError: () => undefined,
  });
  const bundle = bundleOf(1);
  const webhook = bundle.webhooks[0] as (typeof bundle.webhooks)[0];
  const bounced = outcomeOf(bundle, webhook, { ...BOUNCED, responseBody: 'busy' });
  const nextAttemptAtMs = Date.now() + 60_000;
  await recorder.record(0, bundle, webhook, { outcome: bounced, nextAttemptAtMs });
  expect(await out.find(bounced.webhookId)).toMatchObject({
    state: 'retrying',
    nextAttemptAt: new Date(nextAttemptAtMs).toISOString(),
    attempts: [
      { attempt: 1, event: 'webhook.bounced', reason: 'http_5xx', statusCode: 503, responseBody: 'busy' },
    ],
  });
  const second = { ...bundle, attempt: 2 };
  await recorder.record(0, second, webhook, {
    outcome: outcomeOf(second, webhook),
    nextAttemptAtMs: undefined,
  });
  const found = await out.find(bounced.webhookId);
  expect(found).toMatchObject({ state: 'delivered', messageId: 'm-0', campaignId: 'c' });
  expect(found).not.toHaveProperty('nextAttemptAt');
  expect(found?.attempts.map(({ attempt }) => attempt)).toEqual([1, 2]);
  await out.close();
  await recorder.close();
});

test('while Redis is away a record waits, and it is written when Redis is back', async () => {
  const own = await startTestRedis({ appendFsync: 'always' });
  const patient = connect(own.url);
  const errors: Error[] = [];
  const waiting = createOutcomeRecorder({
    connection: patient,
    prefix,
    shards: 1,
    backlog: backlogOf(patient, prefix),
    retention: RETENTION,
    onError: (error) => void errors.push(error),
  });
  await patient.ping();
  await patient.config('SET', 'maxmemory', '1');
  const bundle = bundleOf(1);
  const webhook = bundle.webhooks[0] as (typeof bundle.webhooks)[0];
  let isWritten = false;
  const written = waiting
    .record(0, bundle, webhook, { outcome: outcomeOf(bundle, webhook), nextAttemptAtMs: undefined })
    .then(() => {
      isWritten = true;
    });
  await eventually(() => expect(errors[0]?.message).toMatch(/OOM/));
  expect(isWritten).toBe(false);
  await patient.config('SET', 'maxmemory', '0');
  await written;
  const { attempts } = await readBundleLog(patient, tag(), bundle);
  expect(attempts.get(0)).toHaveLength(1);
  await waiting.close();
  disconnectRedis(patient);
  await own.stop();
  expect(await outcomesIn()).toEqual([]);
});

/** What is written when an attempt has ended, how often it may be repeated, and for how long it is kept. Takes about 3 s. */

import type { Bundle, BundledWebhook, Outcome, Results } from '@hookfleet/contract';
import { CLOCKS_DIFFER_MS, eventually, startTcpProxy, startTestRedis } from '@hookfleet/testkit';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import {
  createOutcomeRecorder,
  createSecretBox,
  disconnectRedis,
  type OutcomeRecorder,
  openWebhooksOut,
  type RecordedAttempt,
  type RedisConnection,
  readBundleLog,
  openKnownControls,
} from '../src/index.ts';
import { attemptLogKey, deadLettersKey } from '../src/keys.ts';
import { BOUNCED, backlogOf, bundleOf, connect, outcomeOf, testServer } from './setup-queue.ts';

const GONE = { event: 'webhook.error', reason: 'gone', statusCode: 410, final: true } as const;
const RETENTION = { attemptsMs: 3_600_000, deadLettersMs: 7_200_000 };

const server = testServer();
let connection: RedisConnection;
let prefix: string;
let recorder: OutcomeRecorder;
let retries: Queue;
let results: Queue;

beforeEach(() => {
  ({ connection, prefix } = server);
  recorder = createOutcomeRecorder({
    connection,
    prefix,
    shards: 1,
    backlog: backlogOf(connection, prefix),
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
    retention: RETENTION,
    onError: () => undefined,
  });
  [retries, results] = ['webhooks', 'results'].map(
    (name) => new Queue(name, { connection, prefix: `{${prefix}:0}` }),
  ) as [Queue, Queue];
});

afterEach(() => recorder.close());

const tag = () => `{${prefix}:0}`;
const outcomesIn = async () =>
  (await results.getJobs(['waiting'])).flatMap(({ data }) => (data as Results).outcomes ?? []);

const untilReported = async (...of: [Bundle, BundledWebhook, RecordedAttempt]) =>
  (await recorder.record(0, ...of)).reported;

test('outcomes that end together share results jobs of at most 250', async () => {
  const bundle = bundleOf(600);
  await Promise.all(
    bundle.webhooks.map((webhook) =>
      untilReported(bundle, webhook, {
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
  expect(new Set(ids).size).toBe(600);
});

test('an attempt is in the log first, and reported after that', async () => {
  const bundle = bundleOf(1);
  const webhook = bundle.webhooks[0] as (typeof bundle.webhooks)[0];
  const outcome = outcomeOf(bundle, webhook);
  const { reported } = await recorder.record(0, bundle, webhook, { outcome, nextAttemptAtMs: undefined });
  expect((await readBundleLog(connection, tag(), bundle)).attempts.get(0)).toHaveLength(1);
  await reported;
  expect(await outcomesIn()).toEqual([outcome]);
});

test('a webhook that is to be tried again leaves as a job of its own, under one id however often it is written', async () => {
  const bundle = bundleOf(3, { claim: true });
  const [, webhook] = bundle.webhooks;
  if (webhook === undefined) throw new Error('three webhooks');
  const nextAttemptAtMs = Date.now() + 60_000;
  const recorded = { outcome: outcomeOf(bundle, webhook, BOUNCED), nextAttemptAtMs };
  await untilReported(bundle, webhook, recorded);
  await recorder.resume(0, bundle, webhook, recorded);
  const jobs = await retries.getJobs(['delayed']);
  expect(jobs.map(({ id }) => id)).toEqual(['0123456789ab_0_1_2']);
  expect(jobs[0]?.data).toMatchObject({ attempt: 2, webhooks: [webhook] });
  expect(jobs[0]?.data).not.toHaveProperty('claim');
  const [{ timestamp = 0, delay = 0 } = {}] = jobs;
  expect(timestamp + delay).toBeGreaterThan(nextAttemptAtMs - CLOCKS_DIFFER_MS);
});

/**
 * What broke: the job was run and gone when the recorder, whose connection had lost the reply, added it again; and the
 * attempt was made a second time, though nobody had died. Found by the chaos drill.
 */
test('a later attempt that is written again, when it is done and gone, asks the log before it is made', async () => {
  const proxy = await startTcpProxy(server.redis);
  const unlucky = connect(`redis://127.0.0.1:${proxy.port}`);
  const there = createOutcomeRecorder({
    connection: unlucky,
    prefix,
    shards: 1,
    backlog: backlogOf(connection, prefix),
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
    retention: RETENTION,
    onError: () => undefined,
  });
  const bundle = bundleOf(1);
  const webhook = bundle.webhooks[0] as (typeof bundle.webhooks)[0];
  const recorded = { outcome: outcomeOf(bundle, webhook, BOUNCED), nextAttemptAtMs: Date.now() + 60_000 };
  const isLost = proxy.loseReplyAfter('0123456789ab_0_0_2');
  const { reported } = await there.record(0, bundle, webhook, recorded);
  await isLost;
  const goOn = proxy.stall();
  // It runs, is recorded, and its job goes.
  const [first] = await retries.getJobs(['delayed']);
  const second = { ...bundle, attempt: 2 };
  await untilReported(second, webhook, {
    outcome: outcomeOf(second, webhook),
    nextAttemptAtMs: undefined,
  });
  await first?.remove();
  goOn();
  await reported;
  const [again] = await retries.getJobs(['delayed']);
  expect(again?.data).toMatchObject({ attempt: 2, recheck: true });
  const { attempts } = await readBundleLog(connection, tag(), again?.data as typeof bundle);
  expect(attempts.get(0)).toMatchObject([{ attempt: 2, event: 'webhook.delivered' }]);
  await Promise.all([there.close(), recorder.close()]);
  disconnectRedis(unlucky);
  await proxy.close();
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
});

test('the first record of an attempt stands also where a second one is written with it', async () => {
  const bundle = bundleOf(1);
  const webhook = bundle.webhooks[0] as (typeof bundle.webhooks)[0];
  await Promise.all(
    [1, 2].map((durationMs) =>
      untilReported(bundle, webhook, {
        outcome: outcomeOf(bundle, webhook, { durationMs }),
        nextAttemptAtMs: undefined,
      }),
    ),
  );
  const { attempts } = await readBundleLog(connection, tag(), bundle);
  expect(attempts.get(0)).toMatchObject([{ durationMs: 1 }]);
  expect(await outcomesIn()).toMatchObject([{ durationMs: 1 }, { durationMs: 1 }]);
});

/**
 * What broke: cut off from Redis for longer than a lock lasts, a worker went on with a bundle that another had by then.
 * The log kept what was recorded first and the campaign counted what arrived first. Found by the chaos drill.
 */
test.each([
  ['delivered', {}, BOUNCED],
  ['bounced', BOUNCED, {}],
  ['delivered', {}, GONE],
  ['gone', GONE, {}],
] as const)(
  'of an attempt that two workers made, both report what is in the log: %s',
  async (_, first, second) => {
    const bundle = bundleOf(1);
    const webhook = bundle.webhooks[0] as (typeof bundle.webhooks)[0];
    const attempted = (changes: Partial<Outcome>) => ({
      outcome: outcomeOf(bundle, webhook, changes),
      nextAttemptAtMs: changes.final === false ? Date.now() + 60_000 : undefined,
    });
    const stands = attempted({ ...first, workerId: 'first' });
    await untilReported(bundle, webhook, stands);
    await untilReported(bundle, webhook, attempted({ ...second, workerId: 'second' }));
    expect(await outcomesIn()).toEqual([stands.outcome, stands.outcome]);
    expect(await retries.getJobs(['delayed'])).toHaveLength(stands.nextAttemptAtMs === undefined ? 0 : 1);
  },
);

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
});

test('what is told of a webhook follows its attempts', async () => {
  const out = openWebhooksOut({
    connection,
    prefix,
    shards: 1,
    bundleSize: 5,
    idempotencyRetentionMs: 60_000,
    secrets: createSecretBox([]),
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
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
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
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

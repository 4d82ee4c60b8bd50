/** Where webhooks are counted that wait for something else than a worker, and since when. Takes about 2 s. */
import { beforeEach, expect, test } from '@jest/globals';
import type { Bundle } from '@hookfleet/contract';
import fc from 'fast-check';
import { noteCancelled, noteReplayStopped, recordAttempts } from '../src/attempt-log.ts';
import { countScheduled } from '../src/due-later.ts';
import {
  type Batches,
  createCampaignBacklog,
  createSecretBox,
  defineScripts,
  laneJobOf,
  laneOf,
  openBatches,
  openKnownControls,
  openLanes,
  openWebhooksOut,
  type RedisConnection,
  whereAllWait,
} from '../src/index.ts';
import { dueLaterKey, shardPrefix } from '../src/keys.ts';
import { HELD_REASONS, readHeld } from '../src/where-webhooks-wait.ts';
import { BOUNCED, bundleOf, outcomeOf, testServer, webhook } from './setup-queue.ts';

const RETENTION = { attemptsMs: 3_600_000, deadLettersMs: 7_200_000 };
const HOUR_MS = 3_600_000;

const server = testServer();
let connection: RedisConnection;
let prefix: string;
let tag: string;

beforeEach(() => {
  ({ connection, prefix } = server);
  defineScripts(connection);
  tag = shardPrefix(prefix, 0);
});

async function held(nowMs = Date.now()) {
  const all = await readHeld({ connection, prefix, shards: 1 }, new Map(), nowMs);
  return Object.fromEntries([...all].filter(([, { webhooks }]) => webhooks > 0));
}

const counts = async (nowMs?: number) =>
  Object.fromEntries(Object.entries(await held(nowMs)).map(([reason, { webhooks }]) => [reason, webhooks]));

let runs = 0;
function newBundle(webhooks: number, changes: Partial<Bundle> = {}): Bundle {
  return bundleOf(webhooks, { run: (runs++).toString(16).padStart(12, '0'), ...changes });
}

/** Records the bundle's attempt of each of its webhooks. */
async function attempted(bundle: Bundle, goesOn: boolean): Promise<void> {
  await recordAttempts(
    connection,
    tag,
    bundle.webhooks.map((one) => ({
      bundle,
      webhook: one,
      outcome: outcomeOf(bundle, one, { ...BOUNCED, attempt: bundle.attempt, final: !goesOn }),
      nextAttemptAtMs: goesOn ? Date.now() + HOUR_MS : undefined,
    })),
    RETENTION,
  );
}

test('scheduled webhooks are counted until their time, from their acceptance on', async () => {
  let nowMs = Date.now();
  const controls = {
    ...openKnownControls({ connection, prefix, onError: () => undefined }),
    now: () => nowMs,
  };
  const out = openWebhooksOut({
    connection,
    prefix,
    shards: 1,
    bundleSize: 10,
    idempotencyRetentionMs: HOUR_MS,
    secrets: createSecretBox([]),
    controls,
    onError: () => undefined,
  });
  const beforeMs = nowMs;
  const at = (deliverAtMs: number, n: number) => Array.from({ length: n }, () => webhook({ deliverAtMs }));
  await out.enqueue(at(beforeMs + HOUR_MS, 25));
  nowMs += 1_000;
  await out.enqueue([...at(beforeMs + HOUR_MS, 5), ...at(beforeMs + 3 * HOUR_MS, 7), ...at(beforeMs - 1, 9)]);
  const { scheduled } = await held();
  expect(scheduled?.webhooks).toBe(37);
  expect(scheduled?.sinceMs).toBe(beforeMs);
  expect(await counts(beforeMs + 2 * HOUR_MS)).toEqual({ scheduled: 7 });
  expect(await counts(beforeMs + 4 * HOUR_MS)).toEqual({});
  // What has passed is forgotten.
  expect(await connection.exists(dueLaterKey(tag))).toBe(0);
  await out.close();
});

test('scheduled webhooks that are cancelled leave the count, once', async () => {
  const bundle = newBundle(3, { deliverAt: Date.now() + HOUR_MS });
  const other = newBundle(4, { deliverAt: bundle.deliverAt as number });
  await countScheduled(connection, tag, [bundle, other]);
  for (const _twice of [1, 2]) {
    await noteCancelled(connection, tag, bundle, bundle.webhooks.slice(0, 2), HOUR_MS);
    expect(await counts()).toEqual({ scheduled: 5 });
  }
  await noteCancelled(connection, tag, bundle, bundle.webhooks, HOUR_MS);
  await noteCancelled(connection, tag, other, other.webhooks, HOUR_MS);
  expect(await connection.exists(dueLaterKey(tag))).toBe(0);
});

test('a webhook counts as a retry from its first attempt that fails to its end, however often either is recorded', async () => {
  const acceptedAt = Date.now() - HOUR_MS;
  const bundle = newBundle(5, { acceptedAt });
  for (const _twice of [1, 2]) {
    await attempted(bundle, true);
    const { retry } = await held();
    expect(retry?.webhooks).toBe(5);
    // To the minute.
    expect(retry?.sinceMs).toBe(Math.floor(acceptedAt / 60_000) * 60_000);
  }
  const [one, two, three] = bundle.webhooks.map((own) => ({ ...bundle, attempt: 2, webhooks: [own] }));
  await attempted(one as Bundle, true);
  expect(await counts()).toEqual({ retry: 5 });
  for (const _twice of [1, 2]) {
    await attempted({ ...(one as Bundle), attempt: 3 }, false);
    await attempted(two as Bundle, false);
    await noteCancelled(connection, tag, three as Bundle, (three as Bundle).webhooks, HOUR_MS);
    expect(await counts()).toEqual({ retry: 2 });
  }
  await attempted(newBundle(4), false);
  expect(await counts()).toEqual({ retry: 2 });
});

test("a batch's recipients count, and a replay's retries", async () => {
  const batch = newBundle(1);
  const members = [{ run: batch.run, from: 1, count: 40 }];
  await attempted({ ...batch, webhooks: batch.webhooks.map((one) => ({ ...one, members })) }, true);
  expect(await counts()).toEqual({ retry: 40 });
  const replay = newBundle(1, { attempt: 4, attemptsBefore: 3, replayedAt: Date.now() });
  await attempted(replay, true);
  expect(await counts()).toEqual({ retry: 41 });
  await noteReplayStopped(connection, tag, { ...replay, attempt: 5 }, replay.webhooks, HOUR_MS);
  expect(await counts()).toEqual({ retry: 40 });
});

test('what waits in lanes counts there alone, since it came there', async () => {
  const lanes = openLanes({ connection, prefix, shards: 1, permitMs: 60_000, workerId: 'w' });
  const pair = { campaign: 'campaign:c', destination: laneOf('31', '') };
  const bundle = newBundle(3);
  await attempted(bundle, true);
  const [retried] = bundle.webhooks;
  const retry = { ...bundle, attempt: 2, webhooks: [retried as (typeof bundle.webhooks)[0]] };
  const first = newBundle(10);
  const beforeMs = Date.now();
  const waiting = { lane: pair.destination, reason: 'rate', lookInMs: 60_000 } as const;
  await lanes.wait(pair, waiting, laneJobOf(0, first.run, first, first.webhooks));
  const betweenMs = Date.now();
  await lanes.wait(pair, waiting, laneJobOf(0, `${bundle.run}_0_2`, retry, retry.webhooks));
  const { rate } = await held();
  expect(await counts()).toEqual({ rate: 11, retry: 2 });
  expect(rate?.sinceMs).toBeGreaterThanOrEqual(beforeMs);
  expect(rate?.sinceMs).toBeLessThanOrEqual(betweenMs + 1);
  await lanes.leave(pair, { shard: 0, jobId: first.run });
  expect((await held())['rate']?.sinceMs).toBeGreaterThanOrEqual(betweenMs);
  await lanes.leave(pair, { shard: 0, jobId: `${bundle.run}_0_2` });
  expect(await counts()).toEqual({ retry: 3 });
  await lanes.close();
});

test('what gathers for a batch counts since the first of its lot came', async () => {
  const batching = { size: 50, maxWaitMs: HOUR_MS };
  const batches: Batches = openBatches({
    connection,
    prefix,
    shards: 1,
    retentionMs: HOUR_MS,
    leaseMs: 60_000,
    settingsOf: () => Promise.resolve({ batching, isCancelled: false, controlsVersion: 0 }),
  });
  const beforeMs = Date.now();
  const first = newBundle(4, { channelConfigId: '31' });
  await batches.gather(0, first, first.webhooks, batching);
  const afterMs = Date.now();
  const second = newBundle(2, { channelConfigId: '31' });
  await batches.gather(0, second, second.webhooks, batching);
  const { batch } = await held();
  expect(batch?.webhooks).toBe(6);
  expect(batch?.sinceMs).toBeGreaterThanOrEqual(beforeMs);
  expect(batch?.sinceMs).toBeLessThanOrEqual(afterMs);
  await batches.close();
});

test('counts that a dead process left behind are forgotten when a shard has no job', async () => {
  const errors: Error[] = [];
  const backlog = createCampaignBacklog({
    connection,
    prefix,
    shards: 1,
    priorityOf: () => 'normal',
    onError: (error) => errors.push(error),
  });
  await attempted(newBundle(3), true);
  await connection.zadd(`${tag}:webhooks:delayed`, 1, 'job');
  backlog.drained(0);
  await backlog.close();
  expect(await counts()).toEqual({ retry: 3 });
  await connection.del(`${tag}:webhooks:delayed`);
  backlog.drained(0);
  await backlog.close();
  expect(await counts()).toEqual({});
  expect(errors).toEqual([]);
});

test('all reasons together are what is pending, and no count is negative', () => {
  const count = fc.nat(1_000);
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...HELD_REASONS), count), fc.nat(10_000), (given, pending) => {
      const all = new Map(HELD_REASONS.map((reason) => [reason, given[reason] ?? 0]));
      const exact = [...all].filter(([reason]) => reason !== 'scheduled' && reason !== 'retry');
      const parked = exact.reduce((sum, [, webhooks]) => sum + webhooks, 0);
      const waiting = whereAllWait(
        new Map([...all].map(([reason, webhooks]) => [reason, { webhooks, sinceMs: 0 }])),
        pending,
        1,
        1_000,
      );
      expect(waiting.map(({ reason }) => reason)).toEqual(['queued', ...HELD_REASONS]);
      expect(waiting.reduce((sum, { webhooks }) => sum + webhooks, 0)).toBe(Math.max(pending, parked));
      for (const { reason, webhooks, oldestSeconds } of waiting) {
        expect(webhooks).toBeGreaterThanOrEqual(0);
        expect(oldestSeconds).toBe(webhooks > 0 ? 1 : 0);
        if (reason !== 'queued') expect(webhooks).toBeLessThanOrEqual(all.get(reason) as number);
      }
    }),
  );
});

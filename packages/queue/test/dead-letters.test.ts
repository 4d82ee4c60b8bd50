/**
 * Dead letters are replayed, all of them and each once, while those that were replayed before leave. A cancel that meets a
 * replay leaves them. Takes about 4 s.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Bundle } from '@hookfleet/contract';
import { Queue, Worker } from 'bullmq';
import fc from 'fast-check';
import { noteReplay, noteReplayStopped, recordAttempts } from '../src/attempt-log.ts';
import {
  type DeadLetters,
  type CampaignControlsStore,
  defineScripts,
  openCampaignControls,
  openDeadLetters,
  openKnownControls,
  type RedisConnection,
} from '../src/index.ts';
import { attemptLogKey, shardPrefix } from '../src/keys.ts';
import { BOUNCED, bundleOf, outcomeOf, testServer } from './setup-queue.ts';

const SHARDS = 2;
const RETENTION = { attemptsMs: 3_600_000, deadLettersMs: 7_200_000 };
const FAST = { webhooksMax: 5_000, perSecond: 1_000_000 };

const server = testServer();
let connection: RedisConnection;
let prefix: string;
let deadLetters: DeadLetters;
let controls: CampaignControlsStore;

beforeEach(() => {
  ({ connection, prefix } = server);
  defineScripts(connection);
  controls = openCampaignControls({ connection, prefix });
  deadLetters = openDeadLetters({
    connection,
    prefix,
    shards: SHARDS,
    controls: openKnownControls({ connection, prefix, onError: () => undefined }),
  });
});

afterEach(() => deadLetters.close());

async function ended(shard: number, bundle: Bundle, isDelivered: boolean, occurredAtMs: number) {
  await recordAttempts(
    connection,
    shardPrefix(prefix, shard),
    bundle.webhooks.map((webhook) => ({
      bundle,
      webhook,
      outcome: outcomeOf(bundle, webhook, {
        ...(!isDelivered && BOUNCED),
        final: true,
        occurredAt: new Date(occurredAtMs).toISOString(),
        // The tests' outcomes are of shard 0.
        webhookId: outcomeOf(bundle, webhook).webhookId.replace(/^wh_0/, `wh_${shard}`),
      }),
      nextAttemptAtMs: undefined,
    })),
    RETENTION,
  );
}

/** Letters in both shards, of three webhooks a millisecond. */
async function newLetters(count: number): Promise<void> {
  for (let i = 0; i < count; i += 25) {
    const bundle = bundleOf(25, { run: i.toString(16).padStart(12, '0') });
    await ended(i % SHARDS, bundle, false, 1_700_000_000_000 + Math.floor(i / 75));
  }
}

const lettersLeft = async () => {
  const counts = await Promise.all(
    Array.from({ length: SHARDS }, (_, shard) => connection.zcard(`${shardPrefix(prefix, shard)}:dead:c`)),
  );
  return counts.reduce((sum, count) => sum + count, 0);
};

test('all are replayed though each leaves as soon as it is delivered', async () => {
  await newLetters(1_000);
  // A destination that has recovered: each replay is delivered at once.
  const workers = Array.from(
    { length: SHARDS },
    (_, shard) =>
      new Worker('webhooks', (job) => ended(shard, job.data as Bundle, true, Date.now()), {
        connection,
        prefix: shardPrefix(prefix, shard),
        concurrency: 20,
      }),
  );
  try {
    expect(await deadLetters.replayCampaign('c', {}, FAST)).toEqual({ replayed: 1_000, more: false });
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
});

test('one call goes on where another ended, and what is replayed already is passed over', async () => {
  await newLetters(500);
  const few = { ...FAST, webhooksMax: 150 };
  const first = await deadLetters.replayCampaign('c', {}, few);
  expect(first).toEqual({ replayed: 150, more: true, cursor: expect.any(String) });
  // From the top again, as one that does not know of the cursor.
  expect(await deadLetters.replayCampaign('c', {}, few)).toMatchObject({ replayed: 150, more: true });
  expect(await deadLetters.previewReplay('c', {}, 5_000)).toMatchObject({
    webhooks: 200,
    more: false,
    deadLetters: 500,
  });
  const { cursor } = first as { cursor: string };
  expect(await deadLetters.replayCampaign('c', {}, { ...FAST, cursor })).toEqual({
    replayed: 200,
    more: false,
  });
  expect(await lettersLeft()).toBe(500);
});

/** A webhook that failed, and the bundle of its replay in a generation of its campaign. */
async function failedOne() {
  const bundle = bundleOf(1);
  await ended(0, bundle, false, 1_700_000_000_000);
  const replayOf = (generation: number): Bundle => ({ ...bundle, attempt: 2, attemptsBefore: 1, generation });
  const key = attemptLogKey(shardPrefix(prefix, 0), bundle.run, bundle.first);
  return {
    replayOf,
    noted: (generation: number) => noteReplay(connection, key, 0, replayOf(generation)),
    stopped: (generation: number) =>
      noteReplayStopped(connection, shardPrefix(prefix, 0), replayOf(generation), bundle.webhooks, 3_600_000),
    isListed: async () => (await deadLetters.list('c', {}, 10)).failures.length === 1,
  };
}

test('a dead letter stays when a worker stops its replay before the replay is noted', async () => {
  const { noted, stopped, isListed } = await failedOne();
  await stopped(0);
  await noted(0);
  expect(await isListed()).toBe(true);
});

test('whatever the order of notes, a webhook is a dead letter when its latest replay was stopped, and only then', async () => {
  const note = fc.record({ is: fc.constantFrom('noted', 'stopped'), generation: fc.nat({ max: 3 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(note, { maxLength: 8 }), async (notes) => {
      await connection.flushall();
      const one = await failedOne();
      // Producers note in the order of the generations; workers stop jobs of any, late or early.
      let latest: number | undefined;
      const stops = new Set<number>();
      for (const { is, generation } of notes) {
        if (is === 'stopped') {
          await one.stopped(generation);
          stops.add(generation);
        } else if (generation >= (latest ?? 0)) {
          await one.noted(generation);
          latest = generation;
        }
      }
      expect(await one.isListed()).toBe(latest === undefined || stops.has(latest));
    }),
    { numRuns: 60 },
  );
});

test('a replay after a cancel and a resume has a job of its own, also while that of the cancelled one is there', async () => {
  const { stopped } = await failedOne();
  const { failures } = await deadLetters.list('c', {}, 1);
  const [{ webhookId }] = failures as [(typeof failures)[0]];
  expect(await deadLetters.replay(webhookId)).toBe('replayed');
  expect(await deadLetters.replay(webhookId)).toBe('notFailed');
  await controls.cancel('c');
  await stopped(0);
  expect(await deadLetters.replay(webhookId)).toBe('cancelled');
  await controls.resume('c');
  expect(await deadLetters.replay(webhookId)).toBe('replayed');
  const queue = new Queue('webhooks', { connection, prefix: shardPrefix(prefix, 0) });
  const jobs = (await queue.getJobs(['prioritized'])) as { data: Bundle }[];
  expect(jobs.map(({ data }) => data.generation ?? 0).sort()).toEqual([0, 1]);
  await queue.close();
});

test('a long replay ends when its campaign is cancelled, and the next call says so', async () => {
  await newLetters(200);
  const known = openKnownControls({ connection, prefix, onError: () => undefined });
  let letters = 0;
  const cancelledMidway = openDeadLetters({
    connection,
    prefix,
    shards: SHARDS,
    controls: {
      ...known,
      async untilFresh() {
        letters += 1;
        if (letters === 100) await controls.cancel('c');
        await known.untilLatest();
      },
    },
  });
  expect(await cancelledMidway.replayCampaign('c', {}, FAST)).toEqual({
    replayed: 99,
    more: true,
    cursor: expect.any(String),
  });
  expect(await cancelledMidway.replayCampaign('c', {}, FAST)).toBe('cancelled');
  expect(await lettersLeft()).toBe(200);
  await cancelledMidway.close();
});

test('a dead letter is dropped once it is older than its retention, and stays until then', async () => {
  const startMs = 1_700_000_000_000;
  const letterAt = async (run: number, ms: number) => {
    const bundle = bundleOf(1, { run: run.toString(16).padStart(12, '0') });
    await ended(0, bundle, false, startMs + ms);
    return outcomeOf(bundle, bundle.webhooks[0] as Bundle['webhooks'][number]).webhookId;
  };
  const set = `${shardPrefix(prefix, 0)}:dead:c`;
  const old = await letterAt(1, 0);
  const later = await letterAt(2, 1);
  const last = await letterAt(3, RETENTION.deadLettersMs - 1);
  expect(await connection.zrange(set, '0', '-1')).toEqual([old, later, last]);
  const next = await letterAt(4, RETENTION.deadLettersMs);
  expect(await connection.zrange(set, '0', '-1')).toEqual([later, last, next]);
  // Where no other follows, Redis drops the whole set.
  const leftMs = await connection.pttl(set);
  expect(leftMs).toBeGreaterThan(RETENTION.attemptsMs);
  expect(leftMs).toBeLessThanOrEqual(RETENTION.deadLettersMs);
});

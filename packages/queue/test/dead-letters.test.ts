/** Dead letters are replayed, all of them and each once, while those that were replayed before leave. Takes about 3 s. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Bundle } from '@hookfleet/contract';
import { Worker } from 'bullmq';
import { recordAttempts } from '../src/attempt-log.ts';
import {
  type DeadLetters,
  defineScripts,
  openDeadLetters,
  openKnownControls,
  type RedisConnection,
} from '../src/index.ts';
import { shardPrefix } from '../src/keys.ts';
import { BOUNCED, bundleOf, outcomeOf, testServer } from './setup-queue.ts';

const SHARDS = 2;
const RETENTION = { attemptsMs: 3_600_000, deadLettersMs: 7_200_000 };
const FAST = { webhooksMax: 5_000, perSecond: 1_000_000 };

const server = testServer();
let connection: RedisConnection;
let prefix: string;
let deadLetters: DeadLetters;

beforeEach(() => {
  ({ connection, prefix } = server);
  defineScripts(connection);
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

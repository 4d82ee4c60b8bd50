/** Of two jobs that hold a webhook one delivers it, also if a failover has taken one of the two away. Takes under a second. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import { noteWaiting, recordAttempts } from '../src/attempt-log.ts';
import { claimWebhooks, defineScripts } from '../src/index.ts';
import { shardPrefix } from '../src/keys.ts';
import { bundleOf, outcomeOf, testServer } from './setup-queue.ts';

const LIFETIME_MS = 60_000;
const RETENTION = { attemptsMs: LIFETIME_MS, deadLettersMs: LIFETIME_MS };
const INDEXES = [0, 1, 2, 3];

const server = testServer();
let tag: string;
let queue: Queue;

beforeEach(async () => {
  tag = shardPrefix(server.prefix, 0);
  defineScripts(server.connection);
  queue = new Queue('webhooks', { connection: server.connection, prefix: tag });
  await queue.add('c', {}, { jobId: 'first' });
});

afterEach(() => queue.close());

const bundle = bundleOf(INDEXES.length, { claim: true });

/** The webhooks that the job has, after it has claimed all. */
async function claimedBy(jobId: string): Promise<number[]> {
  const { claims } = await claimWebhooks(server.connection, tag, bundle, jobId, LIFETIME_MS);
  return INDEXES.filter((index) => claims.get(index) === jobId);
}

test('a webhook stays with the first job that claims it while that one is in the queue', async () => {
  expect(await claimedBy('first')).toEqual(INDEXES);
  expect(await claimedBy('second')).toEqual([]);
  expect(await claimedBy('first')).toEqual(INDEXES);
});

test('a job that is gone keeps what it has left a record of, and nothing else', async () => {
  await claimedBy('first');
  const [attempted, waits] = bundle.webhooks;
  if (attempted === undefined || waits === undefined) throw new Error('the bundle has webhooks');
  const outcome = outcomeOf(bundle, attempted);
  await recordAttempts(
    server.connection,
    tag,
    [{ bundle, webhook: attempted, outcome, nextAttemptAtMs: undefined }],
    RETENTION,
  );
  await noteWaiting(server.connection, tag, bundle, 'batch:lot', [waits], LIFETIME_MS);
  await queue.remove('first');
  expect(await claimedBy('second')).toEqual([2, 3]);
});

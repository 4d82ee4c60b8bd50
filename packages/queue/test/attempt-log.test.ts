/** The attempt log's entries: what they tell, that older ones are still read, and what they cost. Takes under a second. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AttemptCause, Outcome, PhasesMs } from '@hookfleet/contract';
import { startTestRedis } from '@hookfleet/testkit';
import { recordAttempts } from '../src/attempt-log.ts';
import { defineScripts, disconnectRedis, readBundleLog, type RedisConnection } from '../src/index.ts';
import { attemptLogKey } from '../src/keys.ts';
import { BOUNCED, bundleOf, connect, outcomeOf } from './setup-queue.ts';

const RETENTION = { attemptsMs: 3_600_000, deadLettersMs: 7_200_000 };
const TAG = '{log:0}';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let connection: RedisConnection;
let run = 0;

beforeAll(async () => {
  redis = await startTestRedis();
  connection = connect(redis.url);
  defineScripts(connection);
});

afterAll(async () => {
  disconnectRedis(connection);
  await redis.stop();
});

/** The log of a bundle, each of whose webhooks had one attempt with this outcome. */
async function logged(
  webhooks: number,
  outcome: Partial<Outcome> = {},
  phases?: PhasesMs,
  cause?: AttemptCause,
) {
  const bundle = bundleOf(webhooks, { run: String(run++).padStart(12, '0') });
  const { destination: _inline, ...toChannel } = { ...bundle, channelConfigId: '31' };
  await recordAttempts(
    connection,
    TAG,
    toChannel.webhooks.map((webhook) => ({
      bundle: toChannel,
      webhook,
      outcome: outcomeOf(toChannel, webhook, {
        workerId: 'worker-5d9c7bf6c4-x2kqp:1',
        statusCode: 200,
        ...outcome,
      }),
      nextAttemptAtMs: outcome.final === false ? Date.now() + 2_000 : undefined,
      phases,
      cause,
    })),
    RETENTION,
  );
  return { bundle: toChannel, key: attemptLogKey(TAG, toChannel.run, toChannel.first) };
}

test.each<PhasesMs>([
  {},
  { firstByte: 12 },
  { firstByte: 0 },
  { connect: 3, firstByte: 12 },
  { dns: 1, connect: 3, tls: 9, firstByte: 12 },
  { connect: 3, tls: 9, firstByte: 12 },
  { dns: 5_000 },
  { dns: 1, connect: 3 },
])('the phases %j are told as they were, with and without an excerpt', async (phases) => {
  for (const outcome of [{}, { ...BOUNCED, responseBody: 'sorry' }]) {
    const { bundle } = await logged(1, outcome, phases);
    const entry = (await readBundleLog(connection, TAG, bundle)).attempts.get(0)?.[0];
    expect(entry?.phases).toEqual(phases);
    expect(entry?.responseBody).toBe('responseBody' in outcome ? outcome.responseBody : undefined);
  }
});

test.each<[AttemptCause, PhasesMs | undefined, string | undefined]>([
  [{ code: 'refused' }, undefined, undefined],
  [{ code: 'certificate_expired' }, { connect: 3 }, undefined],
  [{ code: 'refused' }, {}, 'no answer from the token endpoint'],
  [{ code: 'address_blocked', address: '10.1.2.3' }, { dns: 1, connect: 3 }, 'blocked'],
])('the cause %j is told as it was, beside phases %j and the excerpt %j', async (cause, phases, excerpt) => {
  const { bundle } = await logged(
    1,
    { ...BOUNCED, ...(excerpt !== undefined && { responseBody: excerpt }) },
    phases,
    cause,
  );
  const entry = (await readBundleLog(connection, TAG, bundle)).attempts.get(0)?.[0];
  expect(entry?.cause).toEqual(cause);
  expect(entry?.phases).toEqual(phases ?? {});
  expect(entry?.responseBody).toBe(excerpt);
});

test('entries that were written before there were phases and causes are read', async () => {
  const { bundle, key } = await logged(1);
  const before = ['webhook.bounced', 'http_5xx', 503, 7, 1_700_000_000_000, 'w', 0, 1_700_000_002_000, 'm'];
  await connection.hset(key, '0.2', JSON.stringify(before), '0.3', JSON.stringify([...before, 'sorry']));
  const log = await readBundleLog(connection, TAG, { ...bundle, attempt: 2 });
  const [second, third] = log.attempts.get(0) ?? [];
  const told = { event: 'webhook.bounced', statusCode: 503, durationMs: 7, messageId: 'm', phases: {} };
  expect(second).toMatchObject(told);
  expect(second).not.toHaveProperty('responseBody');
  expect(third).toMatchObject({ ...told, responseBody: 'sorry' });
  expect(third).not.toHaveProperty('cause');
});

// Room above the figures in attempt-log.ts' header: what an entry grows by beyond it must be meant.
const FAILED = { ...BOUNCED, responseBody: 'x'.repeat(1_024) };
test.each<[string, number, Partial<Outcome>, number]>([
  ['delivered, alone', 1, {}, 480],
  ['delivered, in a bundle of 25', 25, {}, 180],
  ['failed with 1 KiB of a response, alone', 1, FAILED, 1_800],
  ['failed with 1 KiB of a response, in a bundle of 25', 25, FAILED, 1_550],
])(
  'a webhook that was %s costs Redis no more than its header says',
  async (_what, webhooks, outcome, bytesMax) => {
    const { key } = await logged(webhooks, outcome, { firstByte: 12 });
    const bytes = Number(await connection.memory('USAGE', key, 'SAMPLES', 0)) / webhooks;
    expect(bytes).toBeLessThan(bytesMax);
  },
);

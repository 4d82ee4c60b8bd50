/**
 * A fleet in the middle of an upgrade, seen from a process of the version before: what a later version wrote is refused
 * with both versions named, and stays where it is for a process that knows it.
 * Takes under a second.
 */
import { beforeEach, expect, test } from '@jest/globals';
import { eventually } from '@hookfleet/testkit';
import { Queue } from 'bullmq';
import {
  checkFormats,
  consumeResults,
  consumeWebhooks,
  createSecretBox,
  LaterVersionError,
  openChannels,
  type RedisConnection,
  RedisUnfitError,
  STORED_FORMATS,
} from '../src/index.ts';
import { bundleOf, testServer } from './setup-queue.ts';

const LATER = 99;

const server = testServer();
let connection: RedisConnection;
let prefix: string;
let errors: Error[];

beforeEach(() => {
  ({ connection, prefix } = server);
  errors = [];
});

const recovery = { lockDurationMs: 30_000, stalledIntervalMs: 30_000 };
const onError = (error: Error) => void errors.push(error);

async function expectRefused(what: string): Promise<void> {
  await eventually(() => expect(errors.map(({ name }) => name)).toContain('LaterVersionError'));
  expect(errors[0]?.message).toMatch(
    new RegExp(`^${what} of version ${LATER}, of which this process knows \\d+`),
  );
}

test('a bundle comes back, however often it was begun, and the others are processed', async () => {
  const queue = new Queue('webhooks', { connection, prefix: `{${prefix}:0}` });
  const opts = { attempts: 1, removeOnComplete: true };
  await queue.add('c', { ...bundleOf(1), version: LATER, whoKnows: true }, { ...opts, jobId: 'later' });
  // As if it had been begun for hours.
  await connection.hset(`{${prefix}:0}:webhooks:later`, 'ats', 500);
  await queue.add('c', bundleOf(1), { ...opts, jobId: 'known' });
  const processed: string[] = [];
  const consumer = consumeWebhooks({
    ...{ connection, prefix, shards: 1, webhooksMax: 10, ...recovery, onError },
    onDrained: () => undefined,
    async process({ jobId }) {
      processed.push(jobId);
      return 'finished';
    },
  });
  await expectRefused('a bundle');
  await eventually(async () => expect(await queue.getDelayedCount()).toBe(1));
  await eventually(() => expect(processed).toEqual(['known']));
  await consumer.stop();
  expect(await queue.getFailedCount()).toBe(0);
  expect((await queue.getJob('later'))?.data).toMatchObject({ version: LATER, whoKnows: true });
  await queue.close();
});

test('results come back until an aggregator knows them', async () => {
  const queue = new Queue('results', { connection, prefix: `{${prefix}:0}` });
  const backoff = { type: 'fixed', delay: 100 };
  await queue.add('results', { version: LATER }, { attempts: 1_000, backoff, jobId: 'later' });
  const applied: unknown[] = [];
  const consumer = consumeResults({
    ...{ connection, prefix, shards: 1, concurrency: 2, ...recovery, onError },
    async apply(results) {
      applied.push(results);
    },
  });
  // Twice: it has come back.
  await eventually(() => expect(errors.length).toBeGreaterThan(1));
  await expectRefused('results');
  await consumer.stop();
  expect(applied).toEqual([]);
  expect(await queue.getFailedCount()).toBe(0);
  expect((await queue.getJob('later'))?.data).toEqual({ version: LATER });
  await queue.close();
});

test('a channel is not taken for one that there is not, nor overwritten', async () => {
  const channels = openChannels({ connection, prefix, secrets: createSecretBox([]) });
  const channel = { url: 'https://example.com/hook' };
  const stored = JSON.stringify({ version: LATER, channel: { ...channel, whoKnows: true } });
  await connection.hset(`{${prefix}}:channels`, 'later', stored);
  await channels.put('known', channel);
  for (const call of [
    () => channels.get('later'),
    () => channels.getForDelivery('later'),
    () => channels.put('later', channel),
    () => channels.delete('later'),
  ])
    await expect(call()).rejects.toThrow(LaterVersionError);
  // Webhooks for it are accepted, for workers that know it.
  expect(await channels.exists(['later', 'known'])).toEqual(new Set(['later', 'known']));
  expect(await channels.list()).toEqual([{ channelConfigId: 'known', channel }]);
  expect(await connection.hget(`{${prefix}}:channels`, 'later')).toBe(stored);
});

test('a process does not start where what is stored without a version of its own is of a later one', async () => {
  await checkFormats(connection, prefix);
  expect(await connection.hgetall(`{${prefix}}:formats`)).toEqual(
    Object.fromEntries(Object.entries(STORED_FORMATS).map(([name, version]) => [name, String(version)])),
  );
  // The later version starts beside this one, notes its own, and one that this one has never heard of.
  await checkFormats(connection, prefix, { ...STORED_FORMATS, counters: LATER, 'new things': 1 });
  const refused = checkFormats(connection, prefix);
  await expect(refused).rejects.toThrow(RedisUnfitError);
  await expect(refused).rejects.toThrow(
    `counters of version ${LATER} (known here: ${STORED_FORMATS.counters})`,
  );
  expect(await connection.hget(`{${prefix}}:formats`, 'counters')).toBe(String(LATER));
});

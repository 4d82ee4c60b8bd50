/**
 * What somebody else wrote into Redis is reported and skipped, and stops nothing but itself.
 * Takes under a second.
 */
import { beforeEach, expect, test } from '@jest/globals';
import { Queue } from 'bullmq';
import {
  createSecretBox,
  openCampaignControls,
  openChannels,
  openCircuits,
  openEventTypes,
  drainFormerLanes,
  type RedisConnection,
  openKnownControls,
} from '../src/index.ts';
import { bundleOf, testServer } from './setup-queue.ts';

const POISON = ['', 'planted-secret', '{"planted-secret":', 'null', '[]', '1', '"text"', '{"channel":null}'];

const server = testServer();
let connection: RedisConnection;
let prefix: string;
let told: { readonly error: Error; readonly context: Record<string, unknown> }[];

const onError = (error: Error, context: Record<string, unknown>) => void told.push({ error, context });

beforeEach(() => {
  ({ connection, prefix } = server);
  told = [];
});

/** Poison beside what is good; the fields that were poisoned. */
async function poison(key: string, texts: readonly string[] = POISON): Promise<string[]> {
  const fields = texts.map((_, i) => `poisoned-${i}`);
  for (const [i, field] of fields.entries()) await connection.hset(key, field, texts[i] as string);
  return fields;
}

function expectTold(fields: readonly string[]): void {
  expect(new Set(told.map(({ context }) => context['field']))).toEqual(new Set(fields));
  // Once each, however often it is read; and without its text.
  expect(told).toHaveLength(fields.length);
  for (const { error } of told) expect(`${error.message} ${error.stack}`).not.toContain('planted-secret');
}

test('a channel that cannot be read is one that there is not, and can be stored anew', async () => {
  const channels = openChannels({ connection, prefix, secrets: createSecretBox([]), onError });
  const channel = { url: 'https://example.com/hook' };
  await channels.put('good', channel);
  const fields = await poison(`{${prefix}}:channels`);
  expect(await channels.list()).toEqual([{ channelConfigId: 'good', channel }]);
  expect(await channels.exists(['good', ...fields])).toEqual(new Set(['good']));
  for (const field of fields) {
    expect(await channels.get(field)).toBeUndefined();
    expect(await channels.getForDelivery(field)).toBeUndefined();
    expect(await channels.delete(field)).toBe(false);
    expect(await channels.put(field, channel)).toBe('created');
    expect(await channels.get(field)).toEqual(channel);
  }
  // An empty text is nothing that was stored, to exists(); list() told of all.
  expectTold(fields);
});

test("a campaign's controls that cannot be read hold up no other's, at the start neither", async () => {
  // Each reader reports for itself: this one is not asked about here.
  const store = openCampaignControls({ connection, prefix });
  const fields = await poison(`{${prefix}}:controls`, POISON.slice(0, 7));
  await store.set('good', { priority: 'high' });
  const known = openKnownControls({ connection, prefix, onError });
  await known.untilFresh();
  expect(known.of('good').priority).toBe('high');
  for (const field of fields) {
    expect(known.of(field)).toEqual({});
    expect((await store.get(field)).controls).toEqual({});
  }
  expectTold(fields);
});

test('a circuit that cannot be read is closed, and an operator can set it', async () => {
  const circuits = openCircuits({ connection, prefix, onError });
  const paused = { state: 'paused', sinceMs: 1, why: 'operator' } as const;
  await circuits.set('good', paused);
  const fields = await poison(`{${prefix}}:circuits`);
  expect(await circuits.all()).toEqual(new Map([['good', paused]]));
  for (const field of fields) {
    expect(await circuits.get(field)).toBeUndefined();
    await circuits.set(field, paused);
    expect(await circuits.get(field)).toEqual(paused);
  }
  expectTold(fields);
});

test('an event type that cannot be read is not activated, and the others are', async () => {
  const types = openEventTypes({ connection, prefix, onError });
  await types.put('good', {});
  const fields = await poison(`{${prefix}}:event-types`);
  expect([...(await types.all()).keys()]).toEqual(['good']);
  for (const field of fields) expect(await types.get(field)).toBeUndefined();
  expectTold(fields);
});

test('what an earlier version parked is back in the queue; a piece that cannot be read is set aside', async () => {
  const lane = 'channel:c';
  const data = `{${prefix}}:lane:${lane}:data`;
  const bundle = bundleOf(2);
  for (const jobId of ['a_1_1x2', 'b_1_1x2'])
    await connection.hset(data, jobId, JSON.stringify({ shard: 0, bundle: { ...bundle, parked: 1, lane } }));
  await connection.hset(data, 'spoilt', 'planted-secret');
  // Two are parked, and the third was released: its job may be lost.
  await connection.hset(`{${prefix}}:parked`, lane, 4);
  await connection.zadd(`{${prefix}}:lanes`, 0, lane);
  expect(await drainFormerLanes({ connection, prefix, shards: 1, onError })).toBe(3);
  const queue = new Queue('webhooks', { connection, prefix: `{${prefix}:0}` });
  const jobs = await queue.getJobs(['waiting']);
  expect(jobs.map(({ id }) => id).sort()).toEqual(['a_1_1x2', 'b_1_1x2']);
  expect(jobs[0]?.data).toMatchObject({ recheck: true, webhooks: bundle.webhooks });
  expectTold(['spoilt']);
  expect(await connection.hgetall(`{${prefix}}:lane:${lane}:aside`)).toEqual({ spoilt: 'planted-secret' });
  expect(await connection.exists(data, `{${prefix}}:parked`, `{${prefix}}:lanes`)).toBe(0);
  expect(await drainFormerLanes({ connection, prefix, shards: 1, onError })).toBe(0);
  await queue.close();
});

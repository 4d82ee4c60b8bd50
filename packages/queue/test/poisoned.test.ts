/**
 * What somebody else wrote into Redis is reported and skipped, and stops nothing but itself.
 * Takes under a second.
 */
import { beforeEach, expect, test } from '@jest/globals';
import {
  createSecretBox,
  openCampaignControls,
  openChannels,
  openCircuits,
  openEventTypes,
  openLanes,
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

test('a piece that cannot be read leaves its lane and is set aside; the others go', async () => {
  const lanes = openLanes({ connection, prefix, shards: 1, retentionMs: 60_000, leaseMs: 60_000, onError });
  const lane = 'channel:c';
  const limits = { pieceSize: 1, intervalMs: 0, burstMs: 0, concurrency: 0 };
  await lanes.park(0, bundleOf(2), lane, bundleOf(2).webhooks, limits.pieceSize);
  const data = `{${prefix}}:lane:${lane}:data`;
  const [spoilt = ''] = await connection.hkeys(data);
  await connection.hset(data, spoilt, 'planted-secret');
  const release = () =>
    lanes.release(lane, { limits, webhooksMax: 10, piecesMax: 10, begin: true, probe: false });
  expect((await release()).webhooks).toBe(1);
  expectTold([spoilt]);
  expect(await connection.hget(`{${prefix}}:lane:${lane}:aside`, spoilt)).toBe('planted-secret');
  // The other is in flight, this one no more: it does not come back.
  expect((await release()).inFlight).toBe(1);
  expect(await connection.hexists(data, spoilt)).toBe(0);
  await lanes.close();
});

/**
 * What somebody else wrote into Redis is reported and skipped, and stops nothing but itself.
 * Takes under a second.
 */
import { beforeEach, expect, test } from '@jest/globals';
import { type BatchBody, type Bundle, formatWebhookId } from '@hookfleet/contract';
import { Queue } from 'bullmq';
import {
  createListWorkers,
  createSecretBox,
  openBatches,
  openCampaignControls,
  openChannels,
  openCircuits,
  openEventTypes,
  openFleetEvents,
  drainFormerLanes,
  readBundleLog,
  type RedisConnection,
  openKnownControls,
} from '../src/index.ts';
import { readWebhookLog, recordAttempts } from '../src/attempt-log.ts';
import { attemptLogKey, fleetEventsKey, lotKeys, shardPrefix, workerKey, workersKey } from '../src/keys.ts';
import { bundleOf, outcomeOf, testServer } from './setup-queue.ts';

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

const LOT_POISON: readonly [string, (keys: ReturnType<typeof lotKeys>, ids: string[]) => Promise<unknown>][] =
  [
    ...POISON.map((text): (typeof LOT_POISON)[number] => [
      `the webhook ${JSON.stringify(text)}`,
      ({ data }, [, second = '']) => connection.hset(data, second, text),
    ]),
    ['an entry in the order', ({ order }) => connection.lset(order, 1, 'planted-secret')],
    ['the size in bytes', ({ state }) => connection.hset(state, 'bytes', 'planted-secret')],
    [
      'a batch that was cut',
      async ({ cut, leases }) => {
        await connection.hset(cut, 'wh_0_1', '{"planted-secret":');
        await connection.zadd(leases, 0, 'wh_0_1');
      },
    ],
  ];

/** A lot of webhooks of a bundle, one of which may come later. */
async function openLot(webhooksCount: number) {
  const batching = { size: 50, maxWaitMs: 0 };
  const batches = openBatches({
    connection,
    prefix,
    shards: 1,
    retentionMs: 60_000,
    leaseMs: 60_000,
    settingsOf: () => Promise.resolve({ batching, isCancelled: false, controlsVersion: 0 }),
    onUnreadable: onError,
  });
  const bundle = { ...bundleOf(webhooksCount), channelConfigId: '31' };
  const webhooks = bundle.webhooks.map((webhook) => ({ ...webhook, messageId: 'm' }));
  const gather = async (from: number, to: number) => {
    const [gathered] = await batches.gather(0, bundle, webhooks.slice(from, to), batching);
    if (gathered === undefined) throw new Error('nothing was gathered');
    return gathered.lot;
  };
  const { run, first } = bundle;
  const queue = new Queue('webhooks', { connection, prefix: shardPrefix(prefix, 0) });
  return {
    ids: webhooks.map(({ index }) => formatWebhookId({ shard: 0, run, first, index })),
    gather,
    send: batches.send,
    async sent(): Promise<string[]> {
      const jobs = await queue.getJobs(['waiting', 'prioritized']);
      return jobs.flatMap(({ data }) => {
        const body = JSON.parse((data as Bundle).webhooks[0]?.body ?? '') as BatchBody;
        return body.messages.map(({ id }) => id);
      });
    },
    close: () => Promise.all([queue.close(), batches.close()]),
  };
}

test.each(LOT_POISON)('a lot goes out without what cannot be read: %s', async (_what, spoil) => {
  const { ids, gather, send, sent, close } = await openLot(3);
  const lot = await gather(0, 3);
  await spoil(lotKeys(shardPrefix(prefix, 0), lot.name), ids);
  expect(await send(lot)).toBeUndefined();
  expect(await send(lot)).toBeUndefined();
  const [first, second, third] = ids;
  expect((await sent()).filter((id) => id !== second).sort()).toEqual([first, third].sort());
  expect(told).toHaveLength(1);
  expect(`${told[0]?.error.message}`).not.toContain('planted-secret');
  await close();
});

test('a lot of which nobody can read what its webhooks have in common goes out when another one comes', async () => {
  const { ids, gather, send, sent, close } = await openLot(2);
  const lot = await gather(0, 1);
  const { state } = lotKeys(shardPrefix(prefix, 0), lot.name);
  for (const text of POISON) {
    await connection.hset(state, 'head', text);
    expect(await send(lot)).toBeUndefined();
  }
  expectTold([lot.name]);
  await gather(1, 2);
  await send(lot);
  expect((await sent()).sort()).toEqual([...ids].sort());
  await close();
});

test('an attempt that cannot be read is as good as not made, and is written anew', async () => {
  const bundle = bundleOf(1);
  const [webhook] = bundle.webhooks;
  if (webhook === undefined) throw new Error('a bundle has a webhook');
  const tag = shardPrefix(prefix, 0);
  const key = attemptLogKey(tag, bundle.run, bundle.first);
  const record = { bundle, webhook, outcome: outcomeOf(bundle, webhook), nextAttemptAtMs: undefined };
  const retention = { attemptsMs: 60_000, deadLettersMs: 60_000 };
  const spoilt = [...POISON, '["webhook.delivered",0,200,1,1e300,"w",1,0,"m"]', '["webhook.delivered"]'];
  for (const text of spoilt) {
    await connection.hset(key, '0.1', text);
    const log = await readBundleLog(connection, tag, { ...bundle, webhooks: [webhook, webhook] });
    expect([log.attempts.size, log.unreadable]).toEqual([0, ['0.1']]);
    expect((await recordAttempts(connection, tag, [record], retention)).size).toBe(0);
    expect((await readWebhookLog(connection, key, 0))?.attempts).toHaveLength(1);
  }
  for (const text of POISON) {
    await connection.hset(key, 'bundle', text);
    expect(await readWebhookLog(connection, key, 0)).toBeUndefined();
  }
});

test("a worker's report and a fleet event that cannot be read are left out", async () => {
  const fleetEvents = openFleetEvents({ connection, prefix, onError });
  const listWorkers = createListWorkers({ connection, prefix, onError });
  const event = { event: 'campaign.paused', occurredAt: new Date(0).toISOString() } as const;
  const eventIds: string[] = [];
  for (const text of POISON)
    eventIds.push((await connection.xadd(fleetEventsKey(prefix), '*', 'event', text)) ?? '');
  await fleetEvents.add(event);
  const report = {
    workerId: 'good',
    startedAt: new Date(0).toISOString(),
    concurrency: 1,
    inFlight: 0,
    attemptsPerSecond: 0,
  };
  const texts = [JSON.stringify(report), ...POISON];
  const workerIds = texts.map((_, i) => `w-${i}`);
  for (const [i, id] of workerIds.entries()) await connection.set(workerKey(prefix, id), texts[i] as string);
  await connection.sadd(workersKey(prefix), ...workerIds);
  for (let i = 0; i < 2; i += 1) {
    expect((await fleetEvents.list(100)).events).toEqual([expect.objectContaining(event)]);
    expect(await listWorkers()).toEqual([report]);
  }
  // Pages end by what was looked at.
  const page = await fleetEvents.list(POISON.length);
  expect(page.cursor).toBe(eventIds[1]);
  expectTold([...eventIds, ...workerIds.slice(1)]);
});

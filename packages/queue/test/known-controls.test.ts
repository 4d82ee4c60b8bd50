/** What a process knows of controls and circuits: as old as promised at most, and the same in all of them. Takes about 2 s. */
import { beforeEach, expect, test } from '@jest/globals';
import { eventually } from '@hookfleet/testkit';
import { Redis } from 'ioredis';
import {
  campaignLane,
  type CampaignControlsStore,
  type Circuits,
  createSecretBox,
  type KnownControls,
  openCampaignControls,
  openChannels,
  openCircuits,
  openKnownControls,
  type RedisConnection,
} from '../src/index.ts';
import { testServer } from './setup-queue.ts';

const PAUSED = { state: 'paused', sinceMs: 1, why: 'operator' } as const;

const server = testServer();
let connection: RedisConnection;
let prefix: string;
let controls: CampaignControlsStore;
let circuits: Circuits;
let changes: (string | undefined)[];
let known: KnownControls;

beforeEach(() => {
  ({ connection, prefix } = server);
  controls = openCampaignControls({ connection, prefix });
  circuits = openCircuits({ connection, prefix });
  changes = [];
  known = open();
});

function open(): KnownControls {
  return openKnownControls({
    connection,
    prefix,
    onError: () => undefined,
    onChanged: (lane) => void changes.push(lane),
  });
}

const callsOfScripts = async () => {
  const [, calls] = /cmdstat_evalsha:calls=(\d+)/.exec(await connection.info('commandstats')) ?? [];
  return Number(calls ?? 0);
};

test('many who ask at once cost one read, and within the time for which it is fresh none', async () => {
  await known.untilFresh();
  const before = await callsOfScripts();
  await Promise.all(Array.from({ length: 100 }, () => known.untilLatest()));
  // One may have been under way when they asked.
  expect((await callsOfScripts()) - before).toBeLessThanOrEqual(2);
  // A machine that is busy may take longer than that between the two lines.
  await eventually(async () => {
    await known.untilLatest();
    expect(known.untilFresh()).toBeUndefined();
  });
});

test('what is read after a change knows it, and only what has changed is read', async () => {
  await controls.set('c', { priority: 'high' });
  await circuits.set('channel:31', PAUSED);
  await known.untilLatest();
  expect(known.of('c')).toEqual({ priority: 'high' });
  expect(known.circuitOf('channel:31')).toEqual(PAUSED);
  expect(changes).toEqual([undefined]);

  await controls.pause('c');
  await circuits.set('channel:31', undefined);
  await openChannels({ connection, prefix, secrets: createSecretBox([]) }).put('32', {
    url: 'http://x.test',
  });
  await known.untilLatest();
  expect(changes.slice(1)).toEqual([campaignLane('c'), 'channel:31', 'channel:32']);
  expect(known.circuitOf(campaignLane('c'))?.state).toBe('paused');
  expect(known.circuitOf('channel:31')).toBeUndefined();
  expect(known.of('c')).toEqual({ priority: 'high' });

  const others = open();
  await others.untilLatest();
  expect(others.circuitOf(campaignLane('c'))?.state).toBe('paused');
  expect(others.version()).toBe(known.version());
});

test('more changes than are listed are read too, as are those of an earlier version of hookfleet', async () => {
  await known.untilLatest();
  for (let i = 0; i < 1_200; i += 1) await controls.set(`c${i}`, { priority: 'low' });
  await known.untilLatest();
  expect(known.of('c0').priority).toBe('low');
  expect(known.of('c1199').priority).toBe('low');
  // It wrote the hash and raised a number of its own.
  await connection.hset(`{${prefix}}:controls`, 'former', '{"cancelledAtMs":1}');
  await connection.incr(`{${prefix}}:controls:version`);
  await known.untilLatest();
  expect(known.isCancelled('former', undefined)).toBe(true);
});

test('who knows a later version is not answered by an earlier copy', async () => {
  await known.untilFresh();
  await controls.cancel('c');
  const there = open();
  await there.untilLatest();
  expect(known.isCancelled('c', undefined)).toBe(false);
  await known.untilFresh(there.version());
  expect(known.isCancelled('c', undefined)).toBe(true);
});

test('a version is never given twice, also if a replica takes over that lacks the last changes', async () => {
  await controls.pause('c');
  await known.untilLatest();
  const before = known.version();
  await connection.set(`{${prefix}}:changes:version`, '0');
  await controls.pause('d');
  await known.untilLatest();
  expect(known.version()).toBeGreaterThan(before);
});

test('a generation ends with the resume after a cancel', async () => {
  const isCancelled = (generation?: number) => known.isCancelled('c', generation);
  await controls.cancel('c');
  await known.untilLatest();
  expect([isCancelled(), isCancelled(0)]).toEqual([true, true]);
  await controls.resume('c');
  await controls.resume('c');
  await known.untilLatest();
  expect([isCancelled(), isCancelled(0), isCancelled(1)]).toEqual([true, true, false]);
  await controls.set('c', { deadline: new Date(known.now() - 1).toISOString() });
  await known.untilLatest();
  expect(isCancelled(1)).toBe(true);
});

test('the clock is that of Redis', async () => {
  await known.untilLatest();
  const [seconds, micros] = await connection.time();
  const redisMs = Number(seconds) * 1_000 + Number(micros) / 1_000;
  // They differ by what the two calls took, and not by another unit or origin.
  expect(Math.abs(known.now() - redisMs)).toBeLessThan(60_000);
});

test('an answer that came too late is not taken for a fresh one', async () => {
  await known.untilFresh();
  await controls.cancel('c');
  const admin = new Redis(server.redis.url);
  // Redis answers nobody for longer than a copy is fresh.
  await admin.call('CLIENT', 'PAUSE', '150', 'ALL');
  await known.untilLatest();
  expect(known.isCancelled('c', undefined)).toBe(true);
  expect(known.untilFresh()).toBeDefined();
  await known.untilFresh();
  expect(known.untilFresh()).toBeUndefined();
  admin.disconnect();
});

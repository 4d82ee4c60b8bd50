/**
 * Every answer about a campaign says where it stands, and GET /v1/fleet how much is held back. Takes about 2 s.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { campaignLane, openCampaignControls, openCircuits, openLanes } from '@hookfleet/queue';
import { startTestRedis } from '@hookfleet/testkit';
import type { FastifyInstance } from 'fastify';
import { acceptanceOf, outcomeOf, range, resultsOf, RUN } from './results-of.ts';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

const HOUR_MS = 3_600_000;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let app: FastifyInstance;

beforeAll(async () => {
  redis = await startTestRedis();
  counting = setupCounting(redis.url);
  app = await setupApp(counting);
});

afterAll(async () => {
  await app.close();
  counting.close();
  await redis.stop();
});

interface Listed {
  readonly campaigns: readonly { readonly campaignId: string; readonly status: unknown }[];
}

async function listed(campaignId: string, search: string): Promise<unknown> {
  const { campaigns } = (await app.inject(`/v1/campaigns?${search}`)).json() as Listed;
  return campaigns.find((one) => one.campaignId === campaignId)?.status;
}

/** As the campaign's own call and the list both say it. */
async function statusOf(campaignId: string): Promise<unknown> {
  const { status } = (await app.inject(`/v1/campaigns/${campaignId}`)).json() as { status: unknown };
  expect(await listed(campaignId, 'limit=300')).toEqual(status);
  return status;
}

const accept = (campaignId: string, deliverAt?: number) =>
  counting.countResults(resultsOf([], [acceptanceOf(campaignId, 0, 3, RUN, deliverAt)]));

test('a campaign is scheduled until its first webhook is due, and completed when its last has ended', async () => {
  const dueMs = Date.now() + HOUR_MS;
  await accept('tomorrow', dueMs + 1);
  await accept('tomorrow', dueMs);
  // Nothing new is accepted: the time of what was accepted stands.
  await accept('tomorrow', dueMs + 2);
  expect(await statusOf('tomorrow')).toEqual({
    state: 'scheduled',
    until: new Date(dueMs + 1).toISOString(),
  });
  await counting.countResults(resultsOf([], [acceptanceOf('tomorrow', 3, 1, RUN, dueMs)]));
  expect(await statusOf('tomorrow')).toEqual({ state: 'scheduled', until: new Date(dueMs).toISOString() });
  await counting.countResults(resultsOf([], [acceptanceOf('tomorrow', 4, 1)]));
  expect(await statusOf('tomorrow')).toEqual({ state: 'running' });
  await counting.countResults(
    resultsOf(range(0, 5).map((position) => outcomeOf({ campaignId: 'tomorrow', position }))),
  );
  expect(await statusOf('tomorrow')).toEqual({ state: 'completed' });
  expect(await listed('tomorrow', 'q=TOMORROW')).toEqual({ state: 'completed' });
});

test('what an operator says of a campaign is its state, and so is a deadline that has passed', async () => {
  const controls = openCampaignControls(counting);
  await accept('spring-sale');
  expect(await statusOf('spring-sale')).toEqual({ state: 'running' });
  await controls.pause('spring-sale');
  expect(await statusOf('spring-sale')).toMatchObject({ state: 'paused', since: expect.any(String) });
  await controls.resume('spring-sale');
  const deadline = new Date(Date.now() - HOUR_MS).toISOString();
  await controls.set('spring-sale', { deadline });
  expect(await statusOf('spring-sale')).toEqual({ state: 'expired', since: deadline });
  await controls.cancel('spring-sale');
  expect(await statusOf('spring-sale')).toMatchObject({ state: 'cancelled' });
});

test('a campaign is held back while its webhooks wait for a circuit, and others are not', async () => {
  const { connection, prefix } = counting;
  const shards = { connection, prefix, shards: 1 };
  const lanes = openLanes({ ...shards, permitMs: HOUR_MS, workerId: 'w' });
  const circuits = openCircuits(counting);
  await accept('held');
  await accept('free');
  const job = { shard: 0, jobId: 'a_0', flow: 'held retries', requests: 1, recipients: 15 };
  const pair = { campaign: campaignLane('held'), destination: 'channel:crm' };
  await lanes.wait(pair, { lane: pair.destination, reason: 'circuit', lookInMs: HOUR_MS }, job);
  expect(await statusOf('held')).toEqual({ state: 'running' });
  const probeAtMs = Date.now() + HOUR_MS;
  await circuits.set('channel:crm', {
    state: 'open',
    sinceMs: Date.now(),
    why: 'http_5xx',
    probeAtMs,
    cooldownMs: 1,
  });
  expect(await statusOf('held')).toMatchObject({
    state: 'heldBack',
    until: new Date(probeAtMs).toISOString(),
    heldBy: [{ channelConfigId: 'crm', state: 'open', why: 'http_5xx' }],
  });
  expect(await statusOf('free')).toEqual({ state: 'running' });
  expect((await app.inject('/v1/fleet')).json()).toMatchObject({ parkedWebhooks: 15, heldWebhooks: 15 });
  await circuits.set('channel:crm', undefined);
  expect(await statusOf('held')).toEqual({ state: 'running' });
  expect((await app.inject('/v1/fleet')).json()).toMatchObject({ parkedWebhooks: 15, heldWebhooks: 0 });
  await lanes.close();
});

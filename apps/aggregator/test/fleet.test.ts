/** GET /v1/fleet, and the calls by which its page holds lanes and lets them go. Takes about 2 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createSecretBox, openChannels, startWorkerHeartbeat } from '@hookfleet/queue';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import type { FastifyInstance } from 'fastify';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

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

const fleet = async () => (await app.inject('/v1/fleet')).json();
const post = (url: string) => app.inject({ method: 'POST', url });

test('a worker is listed while it lives, with what it has in flight', async () => {
  const { connection, prefix } = counting;
  const shared = { connection, prefix, onError: () => undefined, onClockWrong: () => undefined };
  const [one, other] = [
    startWorkerHeartbeat({ ...shared, workerId: 'host:1', concurrency: 200, inFlight: () => 17 }),
    startWorkerHeartbeat({ ...shared, workerId: 'host:2', concurrency: 100, inFlight: () => 3 }),
  ];
  await eventually(async () =>
    expect(await fleet()).toMatchObject({
      workers: [
        { workerId: 'host:1', concurrency: 200, inFlight: 17, clockAheadMs: expect.any(Number) },
        { workerId: 'host:2', inFlight: 3 },
      ],
      inFlight: 20,
      concurrency: 300,
    }),
  );
  // What a killed worker leaves behind ends by itself.
  for (const key of ['host:1', 'host:2']) {
    const leftMs = await connection.pttl(`{${prefix}}:worker:${key}`);
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(10_000);
  }
  await one.stop();
  await eventually(async () => expect(await fleet()).toMatchObject({ workers: [{ workerId: 'host:2' }] }));
  await connection.del(`{${prefix}}:worker:host:2`);
  expect(await fleet()).toMatchObject({ workers: [], inFlight: 0 });
  await other.stop();
});

test('channels are listed with the state of their circuit, and their secrets are not', async () => {
  const { connection, prefix } = counting;
  const channels = openChannels({ connection, prefix, secrets: createSecretBox([]) });
  await channels.put('31', {
    url: 'https://example.com/hook',
    auth: { type: 'bearer', token: 'a-secret-token' },
  });
  await channels.put('32', { url: 'https://example.com/other' });
  expect((await post('/v1/channels/32/pause')).json()).toMatchObject({
    channelConfigId: '32',
    circuit: { state: 'paused', why: 'operator' },
  });
  const paused = await app.inject('/v1/fleet');
  expect(paused.json()).toMatchObject({
    lanes: [
      { channelConfigId: '32', circuit: { state: 'paused', why: 'operator' }, parkedWebhooks: 0 },
      { channelConfigId: '31', circuit: { state: 'closed' }, parkedWebhooks: 0 },
    ],
    moreLanes: false,
  });
  expect(paused.body).not.toContain('a-secret-token');
  expect((await post('/v1/channels/32/resume')).json()).toMatchObject({ circuit: { state: 'closed' } });
  expect((await post('/v1/channels/33/pause')).statusCode).toBe(404);
});

test('a paused campaign is listed until it is resumed', async () => {
  expect((await post('/v1/campaigns/spring-sale/pause')).json()).toMatchObject({ state: 'paused' });
  const campaignLanes = async () =>
    ((await fleet()) as { lanes: { campaignId?: string }[] }).lanes.filter(({ campaignId }) => campaignId);
  expect(await campaignLanes()).toMatchObject([{ campaignId: 'spring-sale', circuit: { state: 'paused' } }]);
  await post('/v1/campaigns/spring-sale/resume');
  expect(await campaignLanes()).toEqual([]);
  expect((await post('/v1/campaigns/spring-sale/cancel')).json()).toMatchObject({ state: 'cancelled' });
});

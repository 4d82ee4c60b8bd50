/**
 * Custom events through the aggregator's real process: killed between any two of its calls to Redis, or cut off from a
 * reply, each event is counted once. killed.test.ts is the same for webhooks.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { connectRedis, disconnectRedis, openEventsOut, type RedisConnection } from '@hookfleet/queue';
import {
  eventually,
  type StartedProcess,
  startProcess,
  startTcpProxy,
  startTestRedis,
} from '@hookfleet/testkit';
import { createCampaignReader } from '../src/read-campaigns.ts';
import { range } from './results-of.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let proxy: Awaited<ReturnType<typeof startTcpProxy>>;
let connection: RedisConnection;
// Each test has its own: jobs that the one before left stalled are not its.
let prefix: string;

beforeAll(async () => {
  redis = await startTestRedis();
  proxy = await startTcpProxy(redis);
  connection = connectRedis({ url: redis.url, name: 'test', temper: 'patient', onError: () => undefined });
});

beforeEach(() => {
  prefix = `test-${randomUUID()}`;
});

afterAll(async () => {
  disconnectRedis(connection);
  await proxy.close();
  await redis.stop();
});

async function startAggregator(redisUrl: string): Promise<StartedProcess> {
  const entry = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const started = startProcess(entry, {
    REDIS_URL: redisUrl,
    PORT: '0',
    HOOKFLEET_KEY_PREFIX: prefix,
    HOOKFLEET_LOCK_DURATION: '1s',
    HOOKFLEET_STALLED_INTERVAL: '500ms',
    LOG_LEVEL: 'debug',
  });
  await started.waitForLog(({ msg }) => msg === 'aggregator.started');
  return started;
}

/** Twenty events with an id and twenty without, in one job. */
async function report(campaignId: string): Promise<void> {
  const events = openEventsOut({ connection, prefix, shards: 1 });
  await events.report(
    range(0, 40).map((i) => ({
      campaignId,
      event: 'whatsapp.read',
      ...(i < 20 && { id: `id-${i}` }),
      occurredAt: Date.now(),
      numbers: { price: i },
    })),
  );
  await events.close();
}

async function expectCountedOnce(campaignId: string): Promise<void> {
  const reader = createCampaignReader(connection, prefix);
  await eventually(
    async () =>
      expect(await reader.totals(campaignId)).toMatchObject({
        events: { 'whatsapp.read': 40 },
        properties: { 'whatsapp.read': { price: { count: 40, sum: (39 * 40) / 2 } } },
      }),
    { timeoutMs: 15_000 },
  );
}

test('killed between any two of its Redis calls, an aggregator leaves each event counted once', async () => {
  const campaigns: string[] = [];
  // Taking the job, the index, the counting, finishing the job: and one more call in between, whatever it is.
  for (const nth of range(0, 5)) {
    const aggregator = await startAggregator(`redis://127.0.0.1:${proxy.port}`);
    const { promise: held, resolve } = Promise.withResolvers<void>();
    let sent = 0;
    proxy.onRequest(() => {
      sent += 1;
      if (sent > nth) resolve();
      return sent <= nth;
    });
    const campaignId = `killed-before-${nth + 1}`;
    campaigns.push(campaignId);
    await report(campaignId);
    await held;
    await aggregator.kill();
    proxy.onRequest(undefined);
    proxy.cut();
  }
  const [one, other] = await Promise.all([startAggregator(redis.url), startAggregator(redis.url)]);
  for (const campaignId of campaigns) await expectCountedOnce(campaignId);
  // Whatever else comes, comes after: a job that would be counted twice now, would be by the end of the next one.
  await report('afterwards');
  await expectCountedOnce('afterwards');
  for (const campaignId of campaigns) await expectCountedOnce(campaignId);
  await Promise.all([one.stop(), other.stop()]);
}, 60_000);

test('a connection that is cut after the counting was sent and before its reply, changes no count', async () => {
  const lua = readFileSync(new URL('../src/apply-events.lua', import.meta.url), 'utf8');
  const counting = createHash('sha1').update(lua).digest('hex');
  const aggregator = await startAggregator(`redis://127.0.0.1:${proxy.port}`);
  // Once undisturbed, so that Redis knows the script and the next call is an EVALSHA.
  await report('before-the-cut');
  await expectCountedOnce('before-the-cut');
  const lost = proxy.loseReplyAfter(counting);
  await report('cut');
  await lost;
  await expectCountedOnce('cut');
  // The command is sent again on the next connection, and counts nothing.
  await aggregator.waitForLog(
    ({ msg, events, repeatedEvents }) => msg === 'results.counted' && events === 0 && repeatedEvents === 40,
  );
  expect(await aggregator.stop()).toEqual({ code: 0, signal: null });
});

/**
 * The audit through the real processes: agrees with a campaign that had trouble, and names a counter that is off.
 * Takes about 6 s.
 */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { connectRedis, disconnectRedis, type RedisConnection } from '@hookfleet/queue';
import { type Receiver, eventually, startReceiver, startTestRedis } from '@hookfleet/testkit';
import {
  accepted,
  enqueue,
  type ProcessUnderTest,
  startApplication,
  totalsOf,
  webhooksTo,
} from './fleet-under-test.ts';

jest.setTimeout(120_000);

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let receiver: Receiver;
let processes: ProcessUnderTest[];
let admin: RedisConnection;
let isMended = false;

beforeAll(async () => {
  redis = await startTestRedis();
  admin = connectRedis({ url: redis.url, name: 'test', temper: 'patient', onError: () => undefined });
  receiver = await startReceiver(({ nth, body }) => {
    const { number } = JSON.parse(body.toString()) as { number?: number };
    if (number === undefined) return { status: nth === 1 ? 503 : 200 };
    if (isMended) return { status: 200 };
    if (number % 10 === 0) return { status: 404 };
    if (number % 10 === 1) return { status: 503 };
    return { status: number % 10 === 2 && nth === 1 ? 503 : 200 };
  });
  const sharded = { HOOKFLEET_SHARDS: '2' };
  processes = await Promise.all(
    (['producer', 'worker', 'aggregator'] as const).map((one) => startApplication(one, redis.url, sharded)),
  );
});

afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await receiver.close();
  disconnectRedis(admin);
  await redis.stop();
});

const producer = () => processes[0] as ProcessUnderTest;
const aggregator = () => processes[2] as ProcessUnderTest;

// biome-ignore lint/suspicious/noExplicitAny: an answer is what the test claims it to be.
async function audit(campaignId: string, cursor?: string): Promise<any> {
  const query = cursor === undefined ? '' : `?cursor=${cursor}`;
  const response = await fetch(`${aggregator().url}/v1/campaigns/${campaignId}/audit${query}`);
  expect(response.status).toBe(200);
  return response.json();
}

const PENDING_NONE = { pending: 0 };
const RETRY = { delaysMs: [10], jitter: 0 };

test('a campaign with retries, failures and a replay adds up to what was counted', async () => {
  await accepted(await enqueue(producer(), webhooksTo(receiver.url, 'troubled', 200, { retry: RETRY })));
  await eventually(async () =>
    expect((await totalsOf(aggregator(), 'troubled')).messages).toMatchObject({
      accepted: 200,
      delivered: 160,
      failed: 40,
    }),
  );
  expect((await audit('troubled')).differences).toEqual([]);
  isMended = true;
  await fetch(`${producer().url}/v1/campaigns/troubled/replay`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ limit: 30, perSecond: 1_000 }),
  });
  await eventually(async () =>
    expect((await totalsOf(aggregator(), 'troubled')).messages).toMatchObject({ delivered: 190, failed: 10 }),
  );
  isMended = false;
  const found = await audit('troubled');
  const { events, reasons, messages } = await totalsOf(aggregator(), 'troubled');
  const { delivered, failed, cancelled } = messages;
  expect(found).toEqual({
    campaignId: 'troubled',
    counted: { events, reasons, messages: { delivered, failed, cancelled } },
    recomputed: { events, reasons, messages: { delivered, failed, cancelled } },
    differences: [],
    webhooks: { accepted: 200, logged: 200, missing: 0 },
    complete: true,
    settled: true,
  });
});

test('a counter that is off is named, with what the logs say', async () => {
  await accepted(await enqueue(producer(), webhooksTo(receiver.url, 'tampered', 30, { retry: RETRY })));
  await eventually(async () =>
    expect((await totalsOf(aggregator(), 'tampered')).messages).toMatchObject({
      accepted: 30,
      ...PENDING_NONE,
    }),
  );
  expect((await audit('tampered')).differences).toEqual([]);
  const { events, messages } = await totalsOf(aggregator(), 'tampered');
  await admin.hincrby('{hookfleet:c:tampered}:totals', 'e:webhook.delivered', 1);
  await admin.hincrby('{hookfleet:c:tampered}:totals', 'm:failed', -2);
  expect(await audit('tampered')).toMatchObject({
    complete: true,
    differences: [
      {
        counter: 'events.webhook.delivered',
        counted: (events['webhook.delivered'] ?? 0) + 1,
        recomputed: events['webhook.delivered'],
      },
      { counter: 'messages.failed', counted: messages.failed - 2, recomputed: messages.failed },
    ],
  });
});

test('where logs have gone, the audit says how many, and blames no counter for it', async () => {
  await accepted(await enqueue(producer(), webhooksTo(receiver.url, 'forgotten', 60, { retry: RETRY })));
  await eventually(async () =>
    expect((await totalsOf(aggregator(), 'forgotten')).messages).toMatchObject({
      accepted: 60,
      ...PENDING_NONE,
    }),
  );
  const [run = ''] = await admin.smembers('{hookfleet:c:forgotten}:runs');
  const logs = (
    await Promise.all([0, 1].map((shard) => admin.keys(`{hookfleet:${shard}}:log:${run}_*`)))
  ).flat();
  const [gone = ''] = logs;
  const webhooks = (await admin.hkeys(gone)).filter((field) => field.endsWith('.1')).length;
  await admin.del(gone);
  expect(await audit('forgotten')).toMatchObject({
    complete: false,
    settled: true,
    differences: [],
    webhooks: { accepted: 60, logged: 60 - webhooks, missing: webhooks },
  });
});

test("a batch's one answer is audited as one event and as each recipient's message", async () => {
  const channel = { url: receiver.url, batch: { size: 50, maxWaitMs: 100 }, retry: RETRY };
  const stored = await fetch(`${producer().url}/v1/channels/crm`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(channel),
  });
  expect(stored.status).toBe(201);
  const webhooks = Array.from({ length: 120 }, (_, i) => ({
    campaignId: 'batched',
    messageId: 'welcome',
    channelConfigId: 'crm',
    payload: { recipient: i },
  }));
  await accepted(await enqueue(producer(), webhooks));
  await eventually(async () =>
    expect((await totalsOf(aggregator(), 'batched')).messages).toMatchObject({
      accepted: 120,
      delivered: 120,
    }),
  );
  const { events } = await totalsOf(aggregator(), 'batched');
  expect(await audit('batched')).toMatchObject({
    recomputed: { events, messages: { delivered: 120 } },
    differences: [],
    webhooks: { accepted: 120, logged: 120, missing: 0 },
    complete: true,
    settled: true,
  });
});

/** /docs: every call is documented, and its example works as it is written. Takes about 4 s. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EXAMPLE_CAMPAIGN_ID } from '@hookfleet/operations';
import { createCampaignBacklog, createOutcomeRecorder, openKnownControls } from '@hookfleet/queue';
import {
  type DocumentedApi,
  type ExampleCall,
  exampleCalls,
  type StartedProcess,
  startProcess,
  startTestRedis,
  undocumented,
} from '@hookfleet/testkit';
import { OPENAPI_FILE } from '../src/app.ts';
import { type ProducerUnderTest, setupProducer } from './setup-producer.ts';

// A test holds the description against the routes (api.test.ts).
const description = JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')) as DocumentedApi;
const WORKER = fileURLToPath(new URL('../../worker/src/main.ts', import.meta.url));

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let producer: ProducerUnderTest;
let worker: StartedProcess;

beforeAll(async () => {
  redis = await startTestRedis();
  producer = await setupProducer(redis.url);
  // The examples' webhook ended undelivered before.
  await recordDeadLetter();
  // It tests channels.
  worker = startProcess(WORKER, { REDIS_URL: redis.url, PORT: '0', HOOKFLEET_KEY_PREFIX: 'test' });
  await worker.waitForLog(({ msg }) => msg === 'worker.started');
});

afterAll(async () => {
  await worker.stop();
  await producer.close();
  await redis.stop();
});

async function recordDeadLetter(): Promise<void> {
  const own = { connection: producer.connection, prefix: 'test', shards: 1, onError: () => undefined };
  const recorder = createOutcomeRecorder({
    ...own,
    backlog: createCampaignBacklog({ ...own, priorityOf: () => 'normal' }),
    controls: openKnownControls(own),
    retention: { attemptsMs: 600_000, deadLettersMs: 600_000 },
  });
  const webhook = { index: 0, messageId: 'welcome', body: '{}' };
  const bundle = {
    version: 1,
    campaignId: EXAMPLE_CAMPAIGN_ID,
    run: '0123456789ab',
    first: 0,
    acceptedAt: Date.now(),
    attempt: 1,
    destination: { url: 'https://webhooks.example.com/hooks/1' },
    webhooks: [webhook],
  } as const;
  const { reported } = await recorder.record(0, { ...bundle, webhooks: [webhook] }, webhook, {
    outcome: {
      eventId: 'wh_0_0123456789ab_0_0.1',
      event: 'webhook.bounced',
      reason: 'http_5xx',
      statusCode: 503,
      webhookId: 'wh_0_0123456789ab_0_0',
      campaignId: EXAMPLE_CAMPAIGN_ID,
      messageId: 'welcome',
      attempt: 1,
      final: true,
      durationMs: 12,
      recipients: 1,
      occurredAt: new Date().toISOString(),
      workerId: 'test',
    },
    nextAttemptAtMs: undefined,
  });
  await reported;
  await recorder.close();
}

test('every call has a tag, an id and examples, and every property a description', () => {
  expect(undocumented(description)).toEqual([]);
  expect(exampleCalls(description).length).toBeGreaterThan(20);
});

/** What is written comes before what reads it; what ends something comes last. */
function turnOf({ method, path }: ExampleCall): number {
  if (method === 'DELETE') return 3;
  if (path.endsWith('/cancel')) return 2;
  return method === 'PUT' ? 0 : 1;
}

test('every example is answered with 2xx', async () => {
  const calls = exampleCalls(description).sort((a, b) => turnOf(a) - turnOf(b));
  for (const { name, method, path, headers, body } of calls) {
    const { status, json } = await producer.call(method, path, body, headers);
    expect({ name, isDone: status >= 200 && status < 300, json }).toEqual({ name, isDone: true, json });
  }
});

/** /docs: every call is documented, and its example works as it is written. Takes about 2 s. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EXAMPLE_CAMPAIGN_ID, EXAMPLE_CHANNEL_ID } from '@hookfleet/operations';
import {
  createCampaignBacklog,
  createOutcomeRecorder,
  createSecretBox,
  openChannels,
  openKnownControls,
} from '@hookfleet/queue';
import {
  type DocumentedApi,
  type ExampleCall,
  exampleCalls,
  startTestRedis,
  undocumented,
} from '@hookfleet/testkit';
import type { FastifyInstance } from 'fastify';
import { OPENAPI_FILE } from '../src/app.ts';
import { acceptanceOf, outcomeOf, resultsOf } from './results-of.ts';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

// A test holds the description against the routes (api.test.ts).
const description = JSON.parse(readFileSync(OPENAPI_FILE, 'utf8')) as DocumentedApi;

const RUN = '0123456789ab';
const bounced = {
  ...outcomeOf({ campaignId: EXAMPLE_CAMPAIGN_ID, run: RUN, position: 0, event: 'webhook.bounced' }),
  reason: 'http_5xx',
  statusCode: 503,
  final: true,
} as const;

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let app: FastifyInstance;
let url: string;

beforeAll(async () => {
  redis = await startTestRedis();
  counting = setupCounting(redis.url);
  await counting.countResults(resultsOf([bounced], [acceptanceOf(EXAMPLE_CAMPAIGN_ID, 0, 1, RUN)]));
  const { connection, prefix } = counting;
  await openChannels({ connection, prefix, secrets: createSecretBox([]) }).put(EXAMPLE_CHANNEL_ID, {
    url: 'https://webhooks.example.com/hooks/crm',
  });
  await recordDeadLetter();
  app = await setupApp(counting);
  url = await app.listen({ host: '127.0.0.1', port: 0 });
});

afterAll(async () => {
  await app.close();
  counting.close();
  await redis.stop();
});

/** The examples' webhook, which ended undelivered. */
async function recordDeadLetter(): Promise<void> {
  const { connection, prefix } = counting;
  const own = { connection, prefix, shards: 1, onError: () => undefined };
  const recorder = createOutcomeRecorder({
    ...own,
    backlog: createCampaignBacklog({ ...own, priorityOf: () => 'normal' }),
    controls: openKnownControls(own),
    retention: { attemptsMs: 600_000, deadLettersMs: 600_000 },
  });
  const webhook = { index: 0, messageId: bounced.messageId, body: '{}' };
  const bundle = {
    version: 1,
    campaignId: EXAMPLE_CAMPAIGN_ID,
    run: RUN,
    first: 0,
    acceptedAt: Date.now(),
    attempt: 1,
    destination: { url: 'https://webhooks.example.com/hooks/1' },
    webhooks: [webhook],
  } as const;
  const { reported } = await recorder.record(0, { ...bundle, webhooks: [webhook] }, webhook, {
    outcome: bounced,
    nextAttemptAtMs: undefined,
  });
  await reported;
  await recorder.close();
}

test('every call has a tag, an id and examples, and every property a description', () => {
  expect(undocumented(description)).toEqual([]);
  expect(exampleCalls(description).length).toBeGreaterThan(20);
});

/** What ends something comes last. */
function turnOf({ method, path }: ExampleCall): number {
  return method === 'DELETE' || path.endsWith('/cancel') ? 1 : 0;
}

test('every example is answered with 2xx', async () => {
  const calls = exampleCalls(description).sort((a, b) => turnOf(a) - turnOf(b));
  for (const { name, method, path, headers, body } of calls) {
    // The stream has no end.
    const ending = new AbortController();
    const response = await fetch(url + path, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: ending.signal,
    });
    expect({ name, status: response.status, text: response.ok ? '' : await response.text() }).toEqual({
      name,
      status: expect.any(Number),
      text: '',
    });
    ending.abort();
  }
});

/** The audit over a real Redis: in parts, over pages and shards, and with what was not counted. Takes about 2 s. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Bundle } from '@hookfleet/contract';
import { createCampaignBacklog, createOutcomeRecorder, openKnownControls } from '@hookfleet/queue';
import { startTestRedis } from '@hookfleet/testkit';
import type { AuditPart, AuditProgress } from '../src/audit-campaign.ts';
import { CELLS_PER_PAGE } from '../src/plan-counting.ts';
import { OTHER_RUN, outcomeOf, RUN, range, resultsOf } from './results-of.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let counting: CountingSetup;
let recorder: ReturnType<typeof createOutcomeRecorder>;

beforeAll(async () => {
  redis = await startTestRedis();
  counting = setupCounting(redis.url);
  const shards = { connection: counting.connection, prefix: counting.prefix, shards: 1 };
  const onError = () => undefined;
  recorder = createOutcomeRecorder({
    ...shards,
    backlog: createCampaignBacklog({ ...shards, priorityOf: () => 'normal', onError }),
    controls: openKnownControls({ ...shards, onError }),
    retention: { attemptsMs: 60_000, deadLettersMs: 60_000 },
    onError,
  });
});

afterAll(async () => {
  await recorder.close();
  counting.close();
  await redis.stop();
});

/** Logs a bundle's deliveries, as a worker does. */
async function log(campaignId: string, run: string, first: number, webhooks: number): Promise<void> {
  const bundle: Bundle = {
    version: 1,
    campaignId,
    run,
    first,
    acceptedAt: Date.now(),
    attempt: 1,
    destination: { url: 'http://127.0.0.1:9/' },
    webhooks: range(0, webhooks).map((index) => ({ index, messageId: 'm', body: '{}' })),
  };
  await Promise.all(
    bundle.webhooks.map((webhook) =>
      recorder.record(0, bundle, webhook, {
        outcome: outcomeOf({ campaignId, run, position: first + webhook.index }),
        nextAttemptAtMs: undefined,
      }),
    ),
  );
}

const never = new AbortController().signal;

async function inParts(campaignId: string): Promise<AuditPart[]> {
  const parts: AuditPart[] = [];
  let progress: AuditProgress | undefined;
  do {
    const part = await counting.audit.audit(campaignId, progress, AbortSignal.abort());
    if (part === undefined) throw new Error('nothing was counted');
    parts.push(part);
    progress = part.progress;
  } while (progress !== undefined);
  return parts;
}

test('an audit in parts ends as one in one go, also for bundles that span two pages of marks', async () => {
  const campaignId = 'in-parts';
  const bundles = [
    [RUN, 0],
    [RUN, CELLS_PER_PAGE - 10],
    [RUN, 3 * CELLS_PER_PAGE],
    [OTHER_RUN, CELLS_PER_PAGE - 25],
  ] as const;
  for (const [run, first] of bundles) {
    await log(campaignId, run, first, 25);
    await counting.countResults(
      resultsOf(range(first, 25).map((position) => outcomeOf({ campaignId, run, position }))),
    );
  }
  const whole = await counting.audit.audit(campaignId, undefined, never);
  expect(whole?.recomputed).toMatchObject({
    events: { 'webhook.delivered': 100 },
    messages: { delivered: 100 },
    logged: 100,
    missing: 0,
  });
  expect(whole?.verdict).toEqual({ differences: [], settled: true });
  const parts = await inParts(campaignId);
  // Three pages of the one run, one of the other.
  expect(parts.map(({ verdict }) => verdict !== undefined)).toEqual([false, false, false, true]);
  expect(parts.at(-1)).toEqual(whole);
});

test('an attempt that is logged and was never counted is a difference, also where other logs have gone', async () => {
  const campaignId = 'uncounted';
  await log(campaignId, RUN, 50_000, 10);
  const outcomes = range(50_000, 9).map((position) => outcomeOf({ campaignId, run: RUN, position }));
  await counting.countResults(resultsOf(outcomes));
  const difference = { counter: 'events.webhook.delivered', counted: 9, recomputed: 10 };
  const found = await counting.audit.audit(campaignId, undefined, never);
  expect(found?.verdict?.differences).toContainEqual(difference);

  const gone = outcomeOf({ campaignId, run: RUN, position: 60_000, event: 'webhook.bounced', reason: 'dns' });
  await counting.countResults(resultsOf([gone]));
  const partial = await counting.audit.audit(campaignId, undefined, never);
  expect(partial?.recomputed.missing).toBe(1);
  expect(partial?.verdict?.differences).toContainEqual(difference);
  expect(partial?.verdict?.differences.map(({ counter }) => counter)).not.toContain('events.webhook.bounced');
});

test('what is counted while an audit goes on leaves it unsettled', async () => {
  const campaignId = 'moving';
  await log(campaignId, RUN, 100_000, 2);
  const outcomes = [100_000, 100_001].map((position) => outcomeOf({ campaignId, run: RUN, position }));
  await counting.countResults(resultsOf(outcomes.slice(0, 1)));
  await counting.countResults(resultsOf([outcomeOf({ campaignId, run: OTHER_RUN, position: 0 })]));
  const first = await counting.audit.audit(campaignId, undefined, AbortSignal.abort());
  expect(first?.progress).toBeDefined();
  await counting.countResults(resultsOf(outcomes));
  const last = await counting.audit.audit(campaignId, first?.progress, never);
  expect(last?.verdict?.settled).toBe(false);
});

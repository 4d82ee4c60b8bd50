/** A campaign is complete when its last pending message has ended: that is said once, whoever sees it. Takes about 2 s. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type FleetEvents, openFleetEvents } from '@hookfleet/queue';
import { eventually, startTestRedis } from '@hookfleet/testkit';
import { startCompletionWatch } from '../src/completion-watch.ts';
import { acceptanceOf, outcomeOf, range, resultsOf } from './results-of.ts';
import { setupApp } from './setup-app.ts';
import { type CountingSetup, setupCounting } from './setup-counting.ts';

let redis: Awaited<ReturnType<typeof startTestRedis>>;
let first: CountingSetup;
let second: CountingSetup;
let events: FleetEvents;

beforeAll(async () => {
  redis = await startTestRedis();
  first = setupCounting(redis.url);
  second = setupCounting(redis.url);
  events = openFleetEvents(first);
});

afterAll(async () => {
  first.close();
  second.close();
  await redis.stop();
});

const completions = async (campaignId: string) =>
  (await events.list(500)).events.filter(
    (one) => one.event === 'campaign.completed' && one.campaignId === campaignId,
  ).length;

test('it is said when the last message ends, once, though two aggregators see it', async () => {
  const campaignId = `c-${randomUUID()}`;
  await first.countResults(resultsOf([], [acceptanceOf(campaignId, 0, 3)]));
  await first.countResults(resultsOf(range(0, 2).map((position) => outcomeOf({ campaignId, position }))));
  expect(await first.reader.closeUnlessPending(campaignId)).toBe(1);
  expect(await completions(campaignId)).toBe(0);
  await second.countResults(resultsOf([outcomeOf({ campaignId, position: 2 })]));
  await Promise.all(
    [first, second, first, second].map(({ reader }) => reader.closeUnlessPending(campaignId)),
  );
  expect(await completions(campaignId)).toBe(1);
  // More is sent, and ends: it is complete again.
  await first.countResults(resultsOf([], [acceptanceOf(campaignId, 3, 1)]));
  await first.countResults(resultsOf([outcomeOf({ campaignId, position: 3 })]));
  await first.reader.closeUnlessPending(campaignId);
  expect(await completions(campaignId)).toBe(2);
});

test('it is said of a campaign that was accepted and ended in one results job', async () => {
  const campaignId = `c-${randomUUID()}`;
  const job = resultsOf([outcomeOf({ campaignId, position: 0 })], [acceptanceOf(campaignId, 0, 1)]);
  await first.countResults(job);
  await first.reader.closeUnlessPending(campaignId);
  expect(await completions(campaignId)).toBe(1);
});

test('the watch says it within seconds, and the sampler where the watcher died', async () => {
  const [watched, forgotten] = [`c-${randomUUID()}`, `c-${randomUUID()}`];
  const watch = startCompletionWatch({
    close: first.reader.closeUnlessPending,
    onError: (error) => {
      throw error;
    },
  });
  for (const campaignId of [watched, forgotten])
    await first.countResults(resultsOf([outcomeOf({ campaignId, position: 0 })]));
  watch.noticed(watched);
  await eventually(async () => expect(await completions(watched)).toBe(1));
  await watch.stop();
  expect(await completions(forgotten)).toBe(0);
  await second.reader.pendingMessages();
  expect(await completions(forgotten)).toBe(1);
});

test('GET /v1/fleet/events tells it, a page at a time, the latest first', async () => {
  const app = await setupApp(first);
  for (const campaignId of ['one', 'two', 'three'])
    await events.add({ event: 'campaign.paused', campaignId, occurredAt: new Date().toISOString() });
  const page = async (query: string) =>
    (await app.inject({ url: `/v1/fleet/events?${query}` })).json() as {
      events: { campaignId: string }[];
      cursor?: string;
    };
  const latest = await page('limit=2');
  expect(latest.events.map(({ campaignId }) => campaignId)).toEqual(['three', 'two']);
  const next = await page(`limit=1&cursor=${latest.cursor}`);
  expect(next.events.map(({ campaignId }) => campaignId)).toEqual(['one']);
  for (const query of ['limit=0', 'limit=501', 'cursor=x', 'campaign=one'])
    expect((await app.inject({ url: `/v1/fleet/events?${query}` })).statusCode).toBe(400);
  await app.close();
});

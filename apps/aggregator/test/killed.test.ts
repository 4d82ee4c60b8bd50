/**
 * A real aggregator is killed as it counts, before and after Redis has counted: another one goes on, and each outcome
 * and each custom event is counted once. The release check kills it between any two of its calls (release-check/).
 * Takes about 8 s.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openEventsOut, openResultsOut } from '@hookfleet/queue';
import { eventually } from '@hookfleet/testkit';
import { createCampaignReader } from '../src/read-campaigns.ts';
import { acceptanceOf, outcomeOf, range } from './results-of.ts';
import { type KillsSetup, setupKills } from './setup-kills.ts';

let setup: KillsSetup;

beforeAll(async () => {
  setup = await setupKills();
});

afterAll(() => setup.close());

async function addResults(prefix: string, campaignId: string): Promise<void> {
  const results = openResultsOut({ connection: setup.connection, prefix, shards: 1 });
  await results.add(0, {
    acceptances: [acceptanceOf(campaignId, 0, 40)],
    outcomes: range(0, 40).map((position) =>
      position < 30
        ? outcomeOf({ campaignId, position })
        : outcomeOf({ campaignId, position, event: 'webhook.bounced', reason: 'http_5xx', final: false }),
    ),
  });
  await results.close();
}

/** Twenty events with an id and twenty without, in one job. */
async function addEvents(prefix: string, campaignId: string): Promise<void> {
  const events = openEventsOut({ connection: setup.connection, prefix, shards: 1 });
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

const scriptOf = (file: string) => readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8');

test.each([
  {
    what: 'outcome',
    add: addResults,
    script: scriptOf('apply-results.lua'),
    totals: {
      events: { 'webhook.delivered': 30, 'webhook.bounced': 10 },
      reasons: { http_5xx: 10 },
      messages: { accepted: 40, delivered: 30, failed: 0, cancelled: 0, pending: 10 },
    },
  },
  {
    what: 'event',
    add: addEvents,
    script: scriptOf('apply-events.lua'),
    totals: {
      events: { 'whatsapp.read': 40 },
      properties: { 'whatsapp.read': { price: { count: 40, sum: (39 * 40) / 2 } } },
    },
  },
])(
  'an aggregator that is killed before or after Redis counts, leaves each $what counted once',
  async ({ add, script, totals }) => {
    const prefix = `test-${randomUUID()}`;
    const reader = createCampaignReader(setup.connection, prefix);
    const expectCountedOnce = (campaignId: string) =>
      eventually(async () => expect(await reader.totals(campaignId)).toMatchObject(totals), {
        timeoutMs: 60_000,
      });
    const sha = createHash('sha1').update(script).digest('hex');

    const before = await setup.startAggregator(prefix, true);
    // Once undisturbed, so that Redis knows the script and the next call is an EVALSHA.
    await add(prefix, 'undisturbed');
    await expectCountedOnce('undisturbed');
    const held = Promise.withResolvers<void>();
    setup.proxy.onRequest((piece) => {
      if (!piece.includes(sha)) return true;
      held.resolve();
      return false;
    });
    await add(prefix, 'killed-before');
    await held.promise;
    await before.kill();
    setup.proxy.onRequest(undefined);
    setup.proxy.cut();
    expect(await reader.totals('killed-before')).toBeUndefined();

    const after = await setup.startAggregator(prefix, true);
    // It counts what the first one left. Of its next job it loses Redis' answer, and is killed.
    await expectCountedOnce('killed-before');
    const isLost = setup.proxy.loseReplyAfter(sha);
    await add(prefix, 'killed-after');
    await isLost;
    await after.kill();
    await expectCountedOnce('killed-after');

    const last = await setup.startAggregator(prefix, false);
    // Another run of both jobs counts nothing: it says so.
    await last.waitForLog(({ msg }) => msg === 'results.counted');
    await add(prefix, 'afterwards');
    await expectCountedOnce('afterwards');
    for (const campaignId of ['undisturbed', 'killed-before', 'killed-after'])
      expect(await reader.totals(campaignId)).toMatchObject(totals);
    expect(await last.stop()).toEqual({ code: 0, signal: null });
  },
  240_000,
);

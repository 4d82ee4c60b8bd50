/**
 * An aggregator dies between any two of its Redis calls, or its connection between a command and its reply: another
 * one goes on, and each outcome is counted once. Real processes, a real Redis, and a proxy that stops the network.
 * Takes about 41 s.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { openResultsOut } from '@hookfleet/queue';
import { eventually } from '@hookfleet/testkit';
import { createCampaignReader } from '../../src/read-campaigns.ts';
import { acceptanceOf, outcomeOf, range } from '../results-of.ts';
import { type KillsSetup, setupKills } from '../setup-kills.ts';

const EXPECTED = {
  events: { 'webhook.delivered': 30, 'webhook.bounced': 10 },
  reasons: { http_5xx: 10 },
  messages: { accepted: 40, delivered: 30, failed: 0, cancelled: 0, pending: 10 },
};

let setup: KillsSetup;
// Each test has its own: jobs that the one before left stalled are not its.
let prefix: string;

beforeAll(async () => {
  setup = await setupKills();
});

beforeEach(() => {
  prefix = `test-${randomUUID()}`;
});

afterAll(() => setup.close());

async function addResults(campaignId: string): Promise<void> {
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

async function expectCountedOnce(campaignId: string): Promise<void> {
  const reader = createCampaignReader(setup.connection, prefix);
  await eventually(async () => expect(await reader.totals(campaignId)).toMatchObject(EXPECTED), {
    timeoutMs: 60_000,
  });
}

/** How many pieces an aggregator sends to Redis from taking a results job to having finished it. */
async function piecesOfAJob(): Promise<number> {
  const aggregator = await setup.startAggregator(prefix, true);
  let pieces = 0;
  setup.proxy.onRequest(() => {
    pieces += 1;
    return true;
  });
  await addResults('undisturbed');
  await aggregator.waitForLog(({ msg }) => msg === 'results.counted');
  await expectCountedOnce('undisturbed');
  const counted = pieces;
  await aggregator.kill();
  setup.proxy.onRequest(undefined);
  // One more: the call after the counting, which finishes the job.
  return counted + 1;
}

test('killed between any two of its Redis calls, an aggregator leaves each outcome counted once', async () => {
  const pieces = await piecesOfAJob();
  expect(pieces).toBeGreaterThanOrEqual(4);
  await setup.killBetweenCalls(prefix, pieces, { write: addResults, expectCountedOnce });
  // Some thirty processes one after the other: on a machine that is busy with others they take minutes.
}, 240_000);

test('a connection that is cut after a command was sent and before its reply, changes no count', async () => {
  const lua = readFileSync(new URL('../../src/apply-results.lua', import.meta.url), 'utf8');
  const counting = createHash('sha1').update(lua).digest('hex');
  const aggregator = await setup.startAggregator(prefix, true);
  // Once undisturbed, so that Redis knows the script and the next call is an EVALSHA.
  await addResults('before-the-cut');
  await expectCountedOnce('before-the-cut');
  for (const [i, campaignId] of ['cut-1', 'cut-2', 'cut-3'].entries()) {
    const lost = setup.proxy.loseReplyAfter(counting);
    await addResults(campaignId);
    await lost;
    await expectCountedOnce(campaignId);
    // The command is sent again on the next connection, and the results are added again. Neither counts anything.
    await eventually(() => {
      const repeats = aggregator.logs.filter(
        ({ msg, ...counted }) => msg === 'results.counted' && counted['repeats'] === 40,
      );
      expect(repeats.length).toBeGreaterThanOrEqual(2 * (i + 1));
      expect(repeats.filter(({ outcomes }) => outcomes !== 0)).toEqual([]);
    });
  }
  expect(await aggregator.stop()).toEqual({ code: 0, signal: null });
});

/**
 * Custom events through the aggregator's real process: killed between any two of its calls to Redis, or cut off from a
 * reply, each event is counted once. killed.test.ts is the same for webhooks.
 * Takes about 12 s.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { openEventsOut } from '@hookfleet/queue';
import { eventually } from '@hookfleet/testkit';
import { createCampaignReader } from '../../src/read-campaigns.ts';
import { range } from '../results-of.ts';
import { type KillsSetup, setupKills } from '../setup-kills.ts';

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

/** Twenty events with an id and twenty without, in one job. */
async function report(campaignId: string): Promise<void> {
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

async function expectCountedOnce(campaignId: string): Promise<void> {
  const reader = createCampaignReader(setup.connection, prefix);
  await eventually(
    async () =>
      expect(await reader.totals(campaignId)).toMatchObject({
        events: { 'whatsapp.read': 40 },
        properties: { 'whatsapp.read': { price: { count: 40, sum: (39 * 40) / 2 } } },
      }),
    { timeoutMs: 60_000 },
  );
}

test('killed between any two of its Redis calls, an aggregator leaves each event counted once', async () => {
  // Taking the job, the index, the counting, finishing the job: and one more call in between, whatever it is.
  await setup.killBetweenCalls(prefix, 5, { write: report, expectCountedOnce });
}, 60_000);

test('a connection that is cut after the counting was sent and before its reply, changes no count', async () => {
  const lua = readFileSync(new URL('../../src/apply-events.lua', import.meta.url), 'utf8');
  const counting = createHash('sha1').update(lua).digest('hex');
  const aggregator = await setup.startAggregator(prefix, true);
  // Once undisturbed, so that Redis knows the script and the next call is an EVALSHA.
  await report('before-the-cut');
  await expectCountedOnce('before-the-cut');
  const lost = setup.proxy.loseReplyAfter(counting);
  await report('cut');
  await lost;
  await expectCountedOnce('cut');
  // The command is sent again on the next connection, and counts nothing.
  await aggregator.waitForLog(
    ({ msg, events, repeatedEvents }) => msg === 'results.counted' && events === 0 && repeatedEvents === 40,
  );
  expect(await aggregator.stop()).toEqual({ code: 0, signal: null });
});

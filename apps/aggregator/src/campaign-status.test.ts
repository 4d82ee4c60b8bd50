/** A campaign's state follows from what is stored of it: each fact, and which of several counts. Takes under a second. */
import { expect, test } from '@jest/globals';
import { type CampaignFacts, campaignStatus } from './campaign-status.ts';

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');
const MINUTE_MS = 60_000;
const at = (minutes: number) => new Date(NOW_MS + minutes * MINUTE_MS).toISOString();

const RUNNING: CampaignFacts = {
  messages: { accepted: 10, delivered: 4, failed: 1, cancelled: 0, pending: 5 },
  firstDueMs: NOW_MS - MINUTE_MS,
  controls: {},
  circuit: undefined,
  holds: [],
  nowMs: NOW_MS,
};
const DONE = { accepted: 10, delivered: 9, failed: 1, cancelled: 0, pending: 0 };
const CUT_OFF = { accepted: 10, delivered: 4, failed: 1, cancelled: 5, pending: 0 };
const PAUSED = { state: 'paused', sinceMs: NOW_MS - MINUTE_MS, why: 'operator' } as const;
const OPEN = {
  state: 'open',
  sinceMs: NOW_MS,
  why: 'timeout',
  probeAtMs: NOW_MS + MINUTE_MS,
  cooldownMs: 1,
} as const;
const FAILING = { lane: 'channel:crm', circuit: OPEN };
const HELD = { lane: 'origin:https://a.test', circuit: PAUSED };

test.each<[string, Partial<CampaignFacts>, object]>([
  ['sends', {}, { state: 'running' }],
  ['has ended all', { messages: DONE }, { state: 'completed' }],
  ['has nothing due yet', { firstDueMs: NOW_MS + 5 * MINUTE_MS }, { state: 'scheduled', until: at(5) }],
  ['was counted by an earlier version', { firstDueMs: undefined }, { state: 'running' }],
  ['is paused', { circuit: PAUSED }, { state: 'paused', since: at(-1) }],
  [
    'is paused before it begins',
    { circuit: PAUSED, firstDueMs: NOW_MS + 1 },
    { state: 'paused', since: at(-1) },
  ],
  [
    'is cancelled',
    { controls: { cancelledAtMs: NOW_MS }, messages: CUT_OFF },
    { state: 'cancelled', since: at(0) },
  ],
  ['has a deadline to come', { controls: { deadline: at(1) } }, { state: 'running' }],
  ['was cut off', { controls: { deadline: at(-1) }, messages: CUT_OFF }, { state: 'expired', since: at(-1) }],
  ['ended in time', { controls: { deadline: at(-1) }, messages: DONE }, { state: 'completed' }],
  ['is too late to cancel', { controls: { deadline: at(-1) } }, { state: 'expired', since: at(-1) }],
  [
    'waits for a probe',
    { holds: [FAILING] },
    {
      state: 'heldBack',
      until: at(1),
      heldBy: [{ channelConfigId: 'crm', state: 'open', why: 'timeout', since: at(0), until: at(1) }],
    },
  ],
  [
    'waits for somebody too',
    { holds: [FAILING, HELD] },
    {
      state: 'heldBack',
      heldBy: [
        { origin: 'https://a.test', state: 'paused', why: 'operator', since: at(-1) },
        { channelConfigId: 'crm', state: 'open', why: 'timeout', since: at(0), until: at(1) },
      ],
    },
  ],
])('a campaign that %s', (_what, facts, expected) => {
  expect(campaignStatus({ ...RUNNING, ...facts })).toEqual(expected);
});

test('a circuit without a time that can be read holds nothing up', () => {
  const circuit = { ...OPEN, probeAtMs: Number.NaN };
  expect(campaignStatus({ ...RUNNING, holds: [{ lane: 'channel:crm', circuit }] })).toMatchObject({
    state: 'heldBack',
    heldBy: [{ channelConfigId: 'crm', state: 'open' }],
  });
});

/** What a failover costs is told apart: a recipient's message, a record, a count, a repeat. Takes under a second. */
import { expect, test } from '@jest/globals';
import type { Accounts, LedgerRequest, RecordedWebhook } from '../chaos/reckon.ts';
import { reckonFailovers } from './reckon-failovers.ts';

const PID = 1;

function request(id: string, answered: number): LedgerRequest {
  return {
    id,
    answered,
    pid: PID,
    atMs: 0,
    isLast: false,
    isDisturbed: false,
    webhooks: [{ id, number: Number(id) }],
  };
}

function recorded(id: string, state: string, statusCode?: number): RecordedWebhook {
  const event = state === 'delivered' ? 'webhook.delivered' : 'webhook.error';
  return {
    id,
    state,
    attempts: statusCode === undefined ? [] : [{ event, statusCode, final: true, workerId: `host:${PID}` }],
  };
}

function accounts(changed: Partial<Accounts> = {}): Accounts {
  return {
    accepted: new Map([
      ['1', 1],
      ['2', 2],
    ]),
    unanswered: new Set(),
    ledger: [request('1', 200), request('2', 404)],
    webhooks: new Map([
      ['1', recorded('1', 'delivered', 200)],
      ['2', recorded('2', 'failed', 404)],
    ]),
    counted: {
      events: { 'webhook.delivered': 1, 'webhook.error': 1, read: 5 },
      reasons: {},
      messages: { accepted: 2, delivered: 1, failed: 1, cancelled: 0, pending: 0 },
    },
    customEvents: { read: 5 },
    endings: new Map(),
    concurrency: 10,
    ...changed,
  };
}

const NOTHING = { lost: 0, forgotten: 0, stranded: 0, lostEvents: 0, miscounted: 0, repeats: 0 };

test('without a loss all is told', () => {
  expect(reckonFailovers(accounts()).reckoning).toEqual({
    ...NOTHING,
    accepted: 2,
    delivered: 1,
    deadLettered: 1,
  });
});

test('a webhook that nobody knows of any more, and that did not arrive, is lost, and no miscount', () => {
  const accepted = new Map([...accounts().accepted, ['3', 3]]);
  expect(reckonFailovers(accounts({ accepted })).reckoning).toMatchObject({ ...NOTHING, lost: 1 });
});

test('one that arrived is forgotten, and what was sent without a record is a repeat', () => {
  const accepted = new Map([...accounts().accepted, ['3', 3]]);
  const ledger = [...accounts().ledger, request('3', 200)];
  expect(reckonFailovers(accounts({ accepted, ledger })).reckoning).toMatchObject({
    ...NOTHING,
    delivered: 2,
    forgotten: 1,
    repeats: 1,
  });
});

test('one that is on record as pending is stranded, and lost', () => {
  const accepted = new Map([...accounts().accepted, ['3', 3]]);
  const webhooks = new Map([...accounts().webhooks, ['3', recorded('3', 'pending')]]);
  const counted = { ...accounts().counted, messages: { ...accounts().counted.messages, accepted: 3 } };
  expect(reckonFailovers(accounts({ accepted, webhooks, counted })).reckoning).toMatchObject({
    ...NOTHING,
    lost: 1,
    stranded: 1,
  });
});

test('counters that differ from the records are told by name', () => {
  const counted = { ...accounts().counted, events: { 'webhook.delivered': 3, 'webhook.error': 1, read: 4 } };
  const { reckoning, evidence } = reckonFailovers(accounts({ counted }));
  expect(reckoning).toMatchObject({ ...NOTHING, miscounted: 2, lostEvents: 1 });
  expect(evidence).toEqual(['counted 3 of webhook.delivered, 1 are on record']);
});

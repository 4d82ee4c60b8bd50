/**
 * The reckoning sees each way in which a fleet can break its word, and allows what the promises allow.
 * Takes under a second.
 */
import { expect, test } from '@jest/globals';
import { type Accounts, keepsPromises, type LedgerRequest, type RecordedWebhook, reckon } from './reckon.ts';

const LIVING = 1;
const KILLED = 2;
const STOPPED = 3;

function request(id: string, answered: number | undefined, more: Partial<LedgerRequest> = {}): LedgerRequest {
  return {
    id,
    answered,
    pid: LIVING,
    atMs: 0,
    isLast: false,
    isDisturbed: false,
    webhooks: [{ id, number: NUMBERS[id] ?? -1 }],
    ...more,
  };
}

function attempt(statusCode: number | undefined, pid = LIVING) {
  const workerId = `host:${pid}`;
  if (statusCode === undefined)
    return { event: 'webhook.bounced', reason: 'connection', final: false, workerId };
  if (statusCode === 200) return { event: 'webhook.delivered', statusCode, final: true, workerId };
  if (statusCode === 503)
    return { event: 'webhook.bounced', reason: 'http_5xx', statusCode, final: false, workerId };
  return { event: 'webhook.error', reason: 'http_4xx', statusCode, final: true, workerId };
}

// One that is tried again, two that travel in one batch, one that is refused, one that nobody was told of.
const NUMBERS: Record<string, number> = { again: 0, first: 1, second: 2, refused: 3, unanswered: 4 };
const BATCH = [
  { id: 'first', number: 1 },
  { id: 'second', number: 2 },
];
const LEDGER = [
  request('again', 503),
  request('again', 200),
  request('batch', 200, { webhooks: BATCH }),
  request('refused', 404),
  request('unanswered', 200),
];
const WEBHOOKS: readonly RecordedWebhook[] = [
  { id: 'again', state: 'delivered', attempts: [attempt(503), attempt(200)] },
  { id: 'first', state: 'delivered', batchId: 'batch', attempts: [attempt(200)] },
  { id: 'second', state: 'delivered', batchId: 'batch', attempts: [attempt(200)] },
  { id: 'refused', state: 'failed', attempts: [attempt(404)] },
  { id: 'unanswered', state: 'delivered', attempts: [attempt(200)] },
];
const COUNTED = {
  events: { 'webhook.delivered': 3, 'webhook.bounced': 1, 'webhook.error': 1, read: 5 },
  reasons: { http_5xx: 1, http_4xx: 1 },
  messages: { accepted: 5, delivered: 4, failed: 1, cancelled: 0, pending: 0 },
};

function accounts(changed: Partial<Accounts> = {}, webhooks = WEBHOOKS): Accounts {
  return {
    accepted: new Map(['again', 'first', 'second', 'refused'].map((id) => [id, NUMBERS[id] as number])),
    unanswered: new Set([4]),
    ledger: LEDGER,
    webhooks: new Map(webhooks.map((webhook) => [webhook.id, webhook])),
    counted: COUNTED,
    customEvents: { read: 5 },
    endings: new Map([
      [KILLED, 'SIGKILL'],
      [STOPPED, 'SIGTERM'],
    ]),
    concurrency: 2,
    ...changed,
  };
}

const KEPT = {
  accepted: 5,
  delivered: 4,
  deadLettered: 1,
  lost: 0,
  miscounted: 0,
  repeats: 0,
  inFlightAtKill: 0,
  repeatsAtTerm: 0,
};

function expectBroken(found: Accounts, numbers: Partial<typeof KEPT>): void {
  const { reckoning } = reckon(found);
  expect(reckoning).toEqual({ ...KEPT, ...numbers });
  expect(keepsPromises(reckoning)).toBe(false);
}

test('accounts that agree', () => {
  const { reckoning, evidence } = reckon(accounts());
  expect(reckoning).toEqual(KEPT);
  expect(evidence).toEqual([]);
  expect(keepsPromises(reckoning)).toBe(true);
});

test('a webhook that the fleet does not know is lost', () => {
  const webhooks = WEBHOOKS.filter(({ id }) => id !== 'refused');
  expect(reckon(accounts({}, webhooks)).reckoning.lost).toBe(1);
  expect(keepsPromises(reckon(accounts({}, webhooks)).reckoning)).toBe(false);
});

test('a webhook that is told to be delivered, and never was, is lost, and its outcome is invented', () => {
  expectBroken(accounts({ ledger: LEDGER.filter(({ id }) => id !== 'batch') }), { lost: 2, miscounted: 1 });
});

test('a dead letter without its last attempt on record is lost', () => {
  const webhooks = WEBHOOKS.map((one) => (one.id === 'refused' ? { ...one, attempts: [] } : one));
  const { reckoning } = reckon(accounts({}, webhooks));
  expect(reckoning.lost).toBe(1);
});

test('a webhook that still waits when the fleet is at rest is lost', () => {
  const webhooks = WEBHOOKS.map((one) => (one.id === 'again' ? { ...one, state: 'retrying' } : one));
  expect(reckon(accounts({}, webhooks)).reckoning.lost).toBe(1);
});

test.each([
  ['an outcome that is counted twice', { events: { ...COUNTED.events, 'webhook.delivered': 4 } }, 1],
  ['an outcome that is not counted', { events: { ...COUNTED.events, 'webhook.bounced': 0 } }, 1],
  ['custom events that are not counted', { events: { ...COUNTED.events, read: 3 } }, 2],
  ['a reason that is counted twice', { reasons: { ...COUNTED.reasons, http_5xx: 2 } }, 1],
  ['a message that is counted twice', { messages: { ...COUNTED.messages, delivered: 5 } }, 1],
  ['an acceptance that is not counted', { messages: { ...COUNTED.messages, accepted: 4 } }, 1],
])('%s', (_what, counted, miscounted) => {
  expectBroken(accounts({ counted: { ...COUNTED, ...counted } }), { miscounted });
});

test('errors in two counters do not make up for each other', () => {
  const events = { ...COUNTED.events, 'webhook.delivered': 4, 'webhook.bounced': 0 };
  expectBroken(accounts({ counted: { ...COUNTED, events } }), { miscounted: 2 });
});

test('a second request for one attempt on record is a repeat, of a batch too', () => {
  for (const again of [request('again', 200), request('batch', 200, { webhooks: BATCH })])
    expectBroken(accounts({ ledger: [...LEDGER, again] }), { repeats: 1 });
});

test('an attempt that got no response explains no request that was answered', () => {
  const webhooks = WEBHOOKS.map((one) =>
    one.id === 'again' ? { ...one, attempts: [attempt(503), attempt(undefined), attempt(200)] } : one,
  );
  const events = { ...COUNTED.events, 'webhook.bounced': 2 };
  const counted = { ...COUNTED, events, reasons: { ...COUNTED.reasons, connection: 1 } };
  const cut = request('again', 200, { isLast: true, isDisturbed: true });
  expectBroken(accounts({ counted, ledger: [...LEDGER, request('again', 200)] }, webhooks), { repeats: 1 });
  // Where the network may have kept the answer back, the process rightly says that none came.
  expect(reckon(accounts({ counted, ledger: [...LEDGER, cut] }, webhooks)).reckoning).toEqual(KEPT);
  // But one process' failed attempt is no excuse for another's request.
  expectBroken(accounts({ counted, ledger: [...LEDGER, { ...cut, pid: STOPPED }] }, webhooks), {
    repeatsAtTerm: 1,
  });
});

test('what a killed process had in flight may be repeated, as many as it has slots', () => {
  const inFlight = (requests: number) =>
    accounts({
      ledger: [...LEDGER, ...Array.from({ length: requests }, () => request('again', 200, { pid: KILLED }))],
    });
  const { reckoning } = reckon(inFlight(2));
  expect(reckoning).toEqual({ ...KEPT, repeats: 2, inFlightAtKill: 2 });
  expect(keepsPromises(reckoning)).toBe(true);
  expectBroken(inFlight(3), { repeats: 3, inFlightAtKill: 2 });
});

test('a process that was asked to stop may leave nothing unrecorded', () => {
  expectBroken(accounts({ ledger: [...LEDGER, request('again', 200, { pid: STOPPED })] }), {
    repeatsAtTerm: 1,
  });
});

test('one webhook under two ids, and one in two batches, are repeats', () => {
  const twin = request('twin', 200, { webhooks: [{ id: 'twin', number: 4 }] });
  const twinRecord = { id: 'twin', state: 'delivered', attempts: [attempt(200)] };
  expect(reckon(accounts({ ledger: [...LEDGER, twin] }, [...WEBHOOKS, twinRecord])).reckoning.repeats).toBe(
    1,
  );
  const otherBatch = request('other', 200, { webhooks: BATCH.slice(0, 1) });
  expect(reckon(accounts({ ledger: [...LEDGER, otherBatch] })).reckoning.repeats).toBeGreaterThan(0);
});

test('a webhook that nobody sent is miscounted', () => {
  const stray = request('stray', 200, { webhooks: [{ id: 'stray', number: 99 }] });
  const record = { id: 'stray', state: 'delivered', attempts: [attempt(200)] };
  const { reckoning } = reckon(accounts({ ledger: [...LEDGER, stray] }, [...WEBHOOKS, record]));
  expect(reckoning.miscounted).toBeGreaterThan(0);
});

/** A recount from the logs finds every counter that differs. Takes under a second. */
import { expect, test } from '@jest/globals';
import type { LoggedAttempt, LoggedWebhook } from '@hookfleet/queue';
import { addLogged, auditedOf, differencesOf, NOTHING } from './recount.ts';

const attempt = (changes: Partial<LoggedAttempt> = {}): LoggedAttempt => ({
  attempt: 1,
  event: 'webhook.delivered',
  durationMs: 5,
  occurredAtMs: 0,
  workerId: 'w',
  final: true,
  messageId: 'm',
  phases: {},
  ...changes,
});

const BOUNCED = { event: 'webhook.bounced', reason: 'http_5xx', final: false } as const;

const webhook = (position: number, changes: Partial<LoggedWebhook> = {}): LoggedWebhook => ({
  position,
  attempts: [attempt()],
  isCancelled: false,
  batch: undefined,
  recipients: undefined,
  ...changes,
});

const recount = (webhooks: readonly LoggedWebhook[], attempted: readonly number[] = []) =>
  addLogged(NOTHING, webhooks, new Set(attempted));

test('attempts add up to events and reasons, and a webhook to one message, by how it ended', () => {
  const sums = recount([
    webhook(0),
    webhook(1, { attempts: [attempt(BOUNCED), attempt(BOUNCED), attempt()] }),
    webhook(2, { attempts: [attempt({ event: 'webhook.error', reason: 'http_4xx' })] }),
    // Replayed: it failed, and was delivered at last.
    webhook(3, { attempts: [attempt({ ...BOUNCED, final: true }), attempt()] }),
    // Cancelled after an attempt, and before any.
    webhook(4, { attempts: [attempt(BOUNCED)], isCancelled: true }),
    webhook(5, { attempts: [], isCancelled: true }),
    // Under way.
    webhook(6, { attempts: [attempt(BOUNCED)] }),
  ]);
  expect(sums).toEqual({
    events: { 'webhook.delivered': 3, 'webhook.bounced': 5, 'webhook.error': 1 },
    reasons: { http_5xx: 5, http_4xx: 1 },
    messages: { delivered: 3, failed: 1, cancelled: 2 },
    logged: 7,
    missing: 0,
  });
});

/** Webhooks from that position on, which left in the batch. */
const membersOf = (batch: LoggedWebhook, from: number, count: number) =>
  Array.from({ length: count }, (_, i) => webhook(from + i, { attempts: [], batch }));

test("a batch's attempts are its own, and its end is that of each webhook that it holds", () => {
  const batch = webhook(0, { attempts: [attempt(BOUNCED), attempt()], recipients: 50 });
  expect(recount([batch, ...membersOf(batch, 100, 50)])).toMatchObject({
    events: { 'webhook.delivered': 1, 'webhook.bounced': 1 },
    messages: { delivered: 50, failed: 0 },
    logged: 50,
  });
});

test('a batch that was cancelled counts once for each webhook that it holds', () => {
  const batch = webhook(0, { attempts: [attempt(BOUNCED)], recipients: 50, isCancelled: true });
  const sums = recount([batch, ...membersOf(batch, 100, 50)]);
  expect(sums.messages).toEqual({ delivered: 0, failed: 0, cancelled: 50 });
});

test('webhooks that left in two batches, as after a failover, are two events and one message each', () => {
  const [first, second] = [webhook(0, { recipients: 50 }), webhook(1, { recipients: 50 })];
  expect(recount([first, second, ...membersOf(second, 100, 50)])).toMatchObject({
    events: { 'webhook.delivered': 2 },
    messages: { delivered: 50 },
  });
});

test('a counter that differs is named; where logs are missing, only one that is below them', () => {
  const counted = auditedOf({
    events: { 'webhook.delivered': 3, 'webhook.bounced': 0, 'whatsapp.read': 9 },
    reasons: {},
    messages: { delivered: 3, failed: 0, cancelled: 0 },
  });
  const logged = [webhook(0), webhook(1, { attempts: [attempt(BOUNCED), attempt()] })];
  expect(differencesOf(counted, recount(logged, [0, 1]))).toEqual([
    { counter: 'events.webhook.bounced', counted: 0, recomputed: 1 },
    { counter: 'events.webhook.delivered', counted: 3, recomputed: 2 },
    { counter: 'reasons.http_5xx', counted: 0, recomputed: 1 },
    { counter: 'messages.delivered', counted: 3, recomputed: 2 },
  ]);
  const partial = recount(logged, [0, 1, 2]);
  expect(partial.missing).toBe(1);
  expect(differencesOf(counted, partial).map(({ counter }) => counter)).toEqual([
    'events.webhook.bounced',
    'reasons.http_5xx',
  ]);
});

/** What a campaign's attempt logs add up to, and how its counters differ from that. Pure. */
import { OUTCOME_EVENTS } from '@hookfleet/contract';
import type { LoggedRun, LoggedWebhook } from '@hookfleet/queue';

export type Counts = Readonly<Record<string, number>>;

/** The part of a campaign's totals that its logs can tell. */
export interface AuditedCounts {
  readonly events: Counts;
  readonly reasons: Counts;
  /** Recipients' messages that ended. */
  readonly messages: { readonly delivered: number; readonly failed: number; readonly cancelled: number };
}

export interface Recount extends AuditedCounts {
  /** Webhooks of which anything is logged. */
  readonly logged: number;
  /** Webhooks and batches of which attempts are counted and none is logged: their logs have expired. */
  readonly missing: number;
}

export const NOTHING: Recount = {
  events: {},
  reasons: {},
  messages: { delivered: 0, failed: 0, cancelled: 0 },
  logged: 0,
  missing: 0,
};

export interface Difference {
  /** By its path in the totals, as in events.webhook.delivered. */
  readonly counter: string;
  readonly counted: number;
  readonly recomputed: number;
}

/** `attempted`: positions with an attempt that is counted. */
export function addLogged(
  before: Recount,
  logged: readonly LoggedWebhook[],
  attempted: ReadonlySet<number>,
): Recount {
  const events = { ...before.events };
  const reasons = { ...before.reasons };
  const messages = { ...before.messages };
  const found = new Set<number>();
  let webhooks = 0;
  for (const webhook of logged) {
    const { position, attempts, recipients } = webhook;
    if (attempts.length > 0) found.add(position);
    if (recipients === undefined) webhooks += 1;
    for (const { event, reason } of attempts) {
      events[event] = (events[event] ?? 0) + 1;
      if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    // A batch's messages are those of the webhooks that left in it, each with its own log: one may have left in two.
    const end = recipients === undefined ? endOf(webhook.batch ?? webhook) : undefined;
    if (end !== undefined) messages[end] += 1;
  }
  const missing = [...attempted].filter((position) => !found.has(position)).length;
  return {
    events,
    reasons,
    messages,
    logged: before.logged + webhooks,
    missing: before.missing + missing,
  };
}

/** As apply-results.lua has it: what was delivered at last is not failed, and what ended is not cancelled. */
function endOf({ attempts, isCancelled }: LoggedRun): 'delivered' | 'failed' | 'cancelled' | undefined {
  if (attempts.some(({ event }) => event === 'webhook.delivered')) return 'delivered';
  if (attempts.some(({ final }) => final)) return 'failed';
  return isCancelled ? 'cancelled' : undefined;
}

/** Only our own events stand in the logs: custom events are left out. */
export function auditedOf({ events, reasons, messages }: AuditedCounts): AuditedCounts {
  const { delivered, failed, cancelled } = messages;
  const own = OUTCOME_EVENTS.flatMap((event) =>
    events[event] === undefined ? [] : [[event, events[event]]],
  );
  return { events: Object.fromEntries(own), reasons, messages: { delivered, failed, cancelled } };
}

/**
 * Each counter that is not what the logs say. Where logs are missing, a counter may be above what is left of them, and
 * only one below is a difference.
 */
export function differencesOf(counted: AuditedCounts, { missing, ...recomputed }: Recount): Difference[] {
  return (['events', 'reasons', 'messages'] as const).flatMap((kind) => {
    const is: Counts = counted[kind];
    const shouldBe: Counts = recomputed[kind];
    return [...new Set([...Object.keys(is), ...Object.keys(shouldBe)])]
      .sort()
      .map((name) => ({
        counter: `${kind}.${name}`,
        counted: is[name] ?? 0,
        recomputed: shouldBe[name] ?? 0,
      }))
      .filter(({ counted: have, recomputed: want }) => (missing > 0 ? have < want : have !== want));
  });
}

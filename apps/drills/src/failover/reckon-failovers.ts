/**
 * What failovers cost: the producers' answers and the receiver's ledger, held against what the last master knows. Pure.
 *
 * Replication is asynchronous, so a failover may lose: what was accepted, records of what was done, counts. Here each is a
 * number. A recipient's loss is told from a record's: what arrived and isn't on record is forgotten, and not lost.
 */
import { type Accounts, isDelivered, reckon } from '../chaos/reckon.ts';

export interface FailoverReckoning {
  /** Answered with 202. */
  readonly accepted: number;
  /** Of these: the receiver has answered with 2xx. */
  readonly delivered: number;
  /** Of the others: on record as failed for good. */
  readonly deadLettered: number;
  /** The rest: nobody knows of them any more, or nobody goes on with them. */
  readonly lost: number;
  /** Delivered, and not on record as that. */
  readonly forgotten: number;
  /** On record as on their way, though nothing is: they stay pending. */
  readonly stranded: number;
  /** Custom events that were accepted and are not counted. */
  readonly lostEvents: number;
  /** How far the counters are from what is on record, summed over all of them. */
  readonly miscounted: number;
  /** Requests without a record, and webhooks that were made twice. */
  readonly repeats: number;
}

export interface FailoverReckoned {
  readonly reckoning: FailoverReckoning;
  readonly evidence: readonly string[];
}

export function reckonFailovers(accounts: Accounts): FailoverReckoned {
  const { webhooks, ledger, counted } = accounts;
  const accepted = [...accounts.accepted.keys()];
  const arrived = new Set(
    ledger.flatMap(({ answered, webhooks: some }) => (isDelivered(answered) ? some.map(({ id }) => id) : [])),
  );
  const stateOf = (id: string) => webhooks.get(id)?.state;
  const deadLettered = accepted.filter((id) => !arrived.has(id) && stateOf(id) === 'failed');
  const lost = accepted.filter((id) => !arrived.has(id) && stateOf(id) !== 'failed');
  const stranded = [...webhooks.values()].filter(({ state }) => state !== 'delivered' && state !== 'failed');

  // Of what the last master doesn't know it can't have counted anything.
  const { reckoning: known, miscounts } = reckon({
    ...accounts,
    accepted: new Map([...accounts.accepted].filter(([id]) => webhooks.has(id))),
    ledger: ledger
      .map((request) => ({ ...request, webhooks: request.webhooks.filter(({ id }) => webhooks.has(id)) }))
      .filter((request) => request.webhooks.length > 0),
    customEvents: Object.fromEntries(
      Object.keys(accounts.customEvents).map((type) => [type, counted.events[type] ?? 0]),
    ),
  });
  const { repeats, repeatsAtTerm } = reckon(accounts).reckoning;
  return {
    reckoning: {
      accepted: accepted.length,
      delivered: accepted.length - deadLettered.length - lost.length,
      deadLettered: deadLettered.length,
      lost: lost.length,
      forgotten: accepted.filter((id) => arrived.has(id) && stateOf(id) !== 'delivered').length,
      stranded: stranded.length,
      lostEvents: Object.entries(accounts.customEvents).reduce(
        (sum, [type, count]) => sum + count - (counted.events[type] ?? 0),
        0,
      ),
      miscounted: known.miscounted,
      repeats: repeats + repeatsAtTerm,
    },
    evidence: [
      ...miscounts,
      ...lost.map((id) => `lost: ${JSON.stringify(webhooks.get(id) ?? id)}`),
      ...stranded.map((webhook) => `stranded: ${JSON.stringify(webhook)}`),
    ],
  };
}

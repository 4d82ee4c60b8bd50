/**
 * Holds three accounts against each other: what the producers accepted, what the receiver was sent and answered, and
 * what the fleet recorded and counted. Pure: accounts in, numbers out.
 *
 * Each request of the receiver's ledger must be explained by an attempt on record: of the same webhook, made by the same
 * process, with the status that the receiver gave; or without a response, where the receiver gave none, or where the
 * network may have kept it back. A request that no attempt on record explains was made and not recorded. That is
 * allowed to a process that was killed, for as many requests as it may have in flight, and to no other.
 */

/** A request as the receiver has it. */
export interface LedgerRequest {
  /** The webhook's id, or the batch's. */
  readonly id: string;
  /** The process that made it, where it is known. */
  readonly pid: number | undefined;
  /** When it came; milliseconds since 1970. */
  readonly atMs: number;
  /** The status that was sent; undefined where the receiver gave no answer, on purpose. */
  readonly answered: number | undefined;
  /** Nothing came on its connection after it: its sender may have given up on the answer. */
  readonly isLast: boolean;
  /** Its connection was cut, stalled, delayed or left half open at some time. */
  readonly isDisturbed: boolean;
  /** The webhooks that it delivers: one, or a batch's. `number` is the one in the load. */
  readonly webhooks: readonly { readonly id: string; readonly number: number }[];
}

/** A webhook as the fleet tells of it. */
export interface RecordedWebhook {
  readonly id: string;
  readonly state: string;
  /** Its own attempts, or the batch's that it travelled in. */
  readonly batchId?: string;
  readonly attempts: readonly RecordedAttempt[];
}

export interface RecordedAttempt {
  readonly event: string;
  readonly reason?: string;
  readonly statusCode?: number;
  readonly final: boolean;
  /** Ends with its process' id. */
  readonly workerId: string;
}

export interface Counted {
  readonly events: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
  readonly messages: Readonly<Record<'accepted' | 'delivered' | 'failed' | 'cancelled' | 'pending', number>>;
}

export interface Accounts {
  /** By id: the numbers in the load of those that were answered with 202. */
  readonly accepted: ReadonlyMap<string, number>;
  /** Numbers of those that may have been accepted. */
  readonly unanswered: ReadonlySet<number>;
  readonly ledger: readonly LedgerRequest[];
  /** By id, of all that `idsOf` tells, and the batches that have arrived. */
  readonly webhooks: ReadonlyMap<string, RecordedWebhook>;
  readonly counted: Counted;
  /** By type: how many were accepted. */
  readonly customEvents: Readonly<Record<string, number>>;
  /** How the processes ended that did. */
  readonly endings: ReadonlyMap<number, string>;
  /** Requests that a worker may have in flight. */
  readonly concurrency: number;
}

export interface Reckoning {
  /** Answered with 202; or without an answer, and delivered all the same. */
  readonly accepted: number;
  readonly delivered: number;
  readonly deadLettered: number;
  /** Accepted, and neither delivered nor dead-lettered; or told to be, and the receiver or the record know nothing of it. */
  readonly lost: number;
  /** How far the counters are from what was recorded, summed over all of them; and outcomes without a request. */
  readonly miscounted: number;
  /** Requests without a record, but for those of processes that were asked to stop; and webhooks that were made twice. */
  readonly repeats: number;
  /** Of the repeats, the requests of killed processes: at most as many as each may have had in flight. */
  readonly inFlightAtKill: number;
  /** Requests without a record of processes that were asked to stop. */
  readonly repeatsAtTerm: number;
}

/** The webhooks to be accounted for: those that were accepted, and those that have arrived. */
export function idsOf({ accepted, ledger }: Pick<Accounts, 'accepted' | 'ledger'>): Set<string> {
  return new Set([...accepted.keys(), ...ledger.flatMap(({ webhooks }) => webhooks.map(({ id }) => id))]);
}

export interface Reckoned {
  readonly reckoning: Reckoning;
  /** What a broken promise shows by: for a person to look into. */
  readonly evidence: readonly string[];
  /** Of the evidence, which counters are off. */
  readonly miscounts: readonly string[];
}

export function reckon(accounts: Accounts): Reckoned {
  const { accepted, ledger, webhooks, endings, concurrency } = accounts;
  const ids = idsOf(accounts);
  const attempts = attemptsOf(webhooks.values());
  const { unrecorded, invented } = matchRequests(ledger, attempts);

  const twice = madeTwice(accepted, ledger);
  const ofKilled = new Map<number, number>();
  let repeatsAtTerm = 0;
  for (const { pid = 0 } of unrecorded) {
    const ending = endings.get(pid);
    if (ending === 'SIGKILL') ofKilled.set(pid, (ofKilled.get(pid) ?? 0) + 1);
    if (ending === 'SIGTERM') repeatsAtTerm += 1;
  }
  const inFlightAtKill = sum([...ofKilled.values()].map((requests) => Math.min(requests, concurrency)));

  const answered = new Set(
    ledger.flatMap((request) => (isDelivered(request.answered) ? request.webhooks.map(({ id }) => id) : [])),
  );
  const found = [...ids].flatMap((id) => webhooks.get(id) ?? []);
  const delivered = found.filter(({ state }) => state === 'delivered');
  const deadLettered = found.filter(({ state }) => state === 'failed');
  const kept = new Set(
    [
      ...delivered.filter(({ id }) => answered.has(id)),
      ...deadLettered.filter(({ attempts: own }) => own.at(-1)?.final === true),
    ].map(({ id }) => id),
  );
  const lost = [...ids].filter((id) => !kept.has(id));

  const off = differences(accounts, attempts, {
    accepted: ids.size,
    delivered: delivered.length,
    failed: deadLettered.length,
    cancelled: 0,
    pending: 0,
  });
  const reckoning: Reckoning = {
    accepted: ids.size,
    delivered: delivered.length,
    deadLettered: deadLettered.length,
    lost: lost.length,
    miscounted:
      invented + unasked(accounts) + sum(off.map(({ counted, recorded }) => Math.abs(counted - recorded))),
    repeats: unrecorded.length - repeatsAtTerm + sum(twice.map((ids) => ids.length - 1)),
    inFlightAtKill,
    repeatsAtTerm,
  };
  const miscounts = off.map(
    ({ name, counted, recorded }) => `counted ${counted} of ${name}, ${recorded} are on record`,
  );
  const evidence = [
    ...unrecorded
      .filter(({ pid = 0 }) => endings.get(pid) !== 'SIGKILL')
      .map((request) => `no record of a request: ${tell(request, attempts.get(request.id))}`),
    ...twice.map((ids) => `made twice: ${tellTwice(ids, accepted, ledger)}`),
    ...miscounts,
    ...lost.map((id) => `lost: ${JSON.stringify(webhooks.get(id) ?? id)}`),
  ];
  return { reckoning, evidence, miscounts };
}

function tell(
  { webhooks, atMs, ...request }: LedgerRequest,
  attempts: readonly RecordedAttempt[] = [],
): string {
  const at = new Date(atMs).toISOString();
  return JSON.stringify({ at, ...request, webhooks: webhooks.length, attempts });
}

function tellTwice(
  ids: readonly string[],
  accepted: ReadonlyMap<string, number>,
  ledger: readonly LedgerRequest[],
): string {
  const of = (id: string) =>
    ledger
      .filter((request) => request.id === id || request.webhooks.some((webhook) => webhook.id === id))
      .map((request) => ({ at: new Date(request.atMs).toISOString(), id: request.id, pid: request.pid }));
  return JSON.stringify(ids.map((id) => ({ id, number: accepted.get(id), requests: of(id) })));
}

/** Whether all numbers are what they must be. */
export function keepsPromises(reckoning: Reckoning): boolean {
  const { accepted, delivered, deadLettered, lost, miscounted, repeats } = reckoning;
  return (
    accepted === delivered + deadLettered &&
    lost === 0 &&
    miscounted === 0 &&
    repeats <= reckoning.inFlightAtKill &&
    reckoning.repeatsAtTerm === 0
  );
}

/** A batch is on record at each of its webhooks, and has its attempts once. */
function attemptsOf(webhooks: Iterable<RecordedWebhook>): Map<string, readonly RecordedAttempt[]> {
  return new Map([...webhooks].map(({ id, batchId, attempts }) => [batchId ?? id, attempts]));
}

/** The requests that no attempt explains, and how many attempts have a status that nobody gave. */
function matchRequests(
  ledger: readonly LedgerRequest[],
  attempts: ReadonlyMap<string, readonly RecordedAttempt[]>,
): { unrecorded: LedgerRequest[]; invented: number } {
  const unrecorded: LedgerRequest[] = [];
  const requestsOf = Map.groupBy(ledger, ({ id }) => id);
  let invented = 0;
  for (const id of new Set([...requestsOf.keys(), ...attempts.keys()])) {
    const left = [...(attempts.get(id) ?? [])];
    const take = (explains: (attempt: RecordedAttempt) => boolean) => {
      const at = left.findIndex(explains);
      if (at !== -1) left.splice(at, 1);
      return at !== -1;
    };
    // Those whose answer certainly came first: they have one kind of record alone.
    const requests = (requestsOf.get(id) ?? []).toSorted((a, b) => doubtOf(a) - doubtOf(b));
    for (const { pid, answered, isLast, isDisturbed, ...request } of requests) {
      const isOwn = ({ workerId }: RecordedAttempt) => pid !== undefined && workerId.endsWith(`:${pid}`);
      const isExplained =
        (answered !== undefined && take((one) => isOwn(one) && one.statusCode === answered)) ||
        take(
          (one) =>
            isOwn(one) &&
            one.statusCode === undefined &&
            isLast &&
            (answered === undefined || isDisturbed || one.reason === 'timeout'),
        );
      if (!isExplained) unrecorded.push({ pid, answered, isLast, isDisturbed, ...request });
    }
    invented += left.filter(({ statusCode }) => statusCode !== undefined).length;
  }
  return { unrecorded, invented };
}

function doubtOf({ answered, isLast, isDisturbed }: LedgerRequest): number {
  return Number(answered === undefined) * 2 + Number(isLast) + Number(isDisturbed);
}

/** Webhooks that arrived though nobody has sent them, or their call was never in doubt. */
function unasked({ accepted, unanswered, ledger }: Accounts): number {
  const strays = ledger.flatMap((request) =>
    request.webhooks.filter(({ id, number }) => !accepted.has(id) && !unanswered.has(number)),
  );
  return new Set(strays.map(({ id }) => id)).size;
}

/** The webhooks that there are for the same number of the load, and the batches that the same webhook is in. */
function madeTwice(accepted: ReadonlyMap<string, number>, ledger: readonly LedgerRequest[]): string[][] {
  const idsOfNumber = new Map<number, Set<string>>();
  const requestIdsOf = new Map<string, Set<string>>();
  const add = <K>(to: Map<K, Set<string>>, key: K, id: string) => {
    to.set(key, (to.get(key) ?? new Set()).add(id));
  };
  for (const [id, number] of accepted) add(idsOfNumber, number, id);
  for (const request of ledger) {
    for (const { id, number } of request.webhooks) {
      add(idsOfNumber, number, id);
      add(requestIdsOf, id, request.id);
    }
  }
  return [...idsOfNumber.values(), ...requestIdsOf.values()]
    .filter((ids) => ids.size > 1)
    .map((ids) => [...ids]);
}

interface Difference {
  readonly name: string;
  readonly counted: number;
  readonly recorded: number;
}

function differences(
  { counted, customEvents }: Accounts,
  attempts: ReadonlyMap<string, readonly RecordedAttempt[]>,
  messages: Counted['messages'],
): Difference[] {
  const events = new Map(Object.entries(customEvents));
  const reasons = new Map<string, number>();
  for (const { event, reason } of [...attempts.values()].flat()) {
    events.set(event, (events.get(event) ?? 0) + 1);
    if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return [
    ...unequal(counted.events, events),
    ...unequal(counted.reasons, reasons),
    ...unequal(counted.messages, new Map(Object.entries(messages))),
  ];
}

function unequal(
  counted: Readonly<Record<string, number>>,
  actual: ReadonlyMap<string, number>,
): Difference[] {
  const names = [...new Set([...Object.keys(counted), ...actual.keys()])];
  return names
    .map((name) => ({ name, counted: counted[name] ?? 0, recorded: actual.get(name) ?? 0 }))
    .filter((one) => one.counted !== one.recorded);
}

export function isDelivered(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status < 300;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

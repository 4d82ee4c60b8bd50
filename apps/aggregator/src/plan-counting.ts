/**
 * From a results job to the script calls that count it: one per campaign, with everything prepared that doesn't
 * depend on what was counted before. Pure. Whether an entry counts is decided in apply-results.lua alone.
 *
 * The marks. Webhooks have dense positions within a run (contract/webhook-id.ts). Each position has a cell of 16 bits:
 *
 *     bit 0   accepted          bit 2   failed, and not delivered
 *     bit 1   delivered         bit 3   cancelled, and not delivered
 *     bits 4 to 15              attempts 1 to 12 are counted
 *
 * A run's cells are cut into pages, each a string of its own: so a position far off, by whatever mistake, costs one
 * page and not a gigabyte, and no string grows large enough to stall Redis when it is copied.
 */
import {
  type Acceptance,
  BATCH_SIZE_MAX,
  type Cancellation,
  type Outcome,
  type PositionRange,
  parseWebhookId,
  positionOf,
  type Results,
} from '@hookfleet/contract';
import { type CampaignKeys, campaignKeys } from './campaign-keys.ts';
import { bucketOf } from './latency-histogram.ts';
import { GROUP_STEPS, groupFieldsOf, type GroupOf } from './series-groups.ts';
import {
  AHEAD_MAX_MS,
  chunkExpiresAtMs,
  isKept,
  placeOf,
  SERIES_STEPS,
  type SeriesRetention,
} from './series-steps.ts';

// 8,000 bytes fit an allocation of 8,192 with little waste.
export const CELLS_PER_PAGE = 4_000;

// A script call holds up everybody: with so many outcomes it takes about half a millisecond.
const OUTCOMES_PER_CALL_MAX = 250;

// A batch's member costs a fifth of an outcome: it has a mark, but no event of its own.
const MEMBERS_PER_OUTCOME = 5;

// The most that a producer accepts at once is far below; an acceptance beyond it is a mistake.
const ACCEPTED_AT_ONCE_MAX = 1_000_000;

// Of a bundle or a batch at most.
const CANCELLED_AT_ONCE_MAX = 1_000;

const RUN = /^[0-9a-f]{12}$/;

export interface CountingRetention {
  /** How long the counts of a step are kept. */
  readonly series: SeriesRetention;
  /** How long a campaign's totals and marks outlive its last event. */
  readonly campaignMs: number;
}

export interface CountingContext {
  readonly prefix: string;
  readonly retention: CountingRetention;
  readonly nowMs: number;
  /** The numbers of the campaign's messages and channels (group-names.ts). */
  readonly groupOf: GroupOf;
}

/** A call of apply-results.lua, whose header describes `keys` and `plan`. */
export interface CountingCall {
  readonly campaignId: string;
  readonly keys: readonly string[];
  readonly plan: CountingPlan;
}

export interface CountingPlan {
  readonly keepMs: number;
  /** Of the outcomes' times that can be believed: milliseconds since 1970, 0 where there is none. */
  readonly first: number;
  readonly last: number;
  /** When the first of the accepted webhooks is to be sent: milliseconds since 1970, 0 if none is accepted. */
  readonly due: number;
  readonly pages: readonly PagePlan[];
  readonly kinds: readonly OutcomeKind[];
  readonly classes: readonly (readonly number[])[];
  readonly fields: readonly (readonly [key: number, field: string])[];
  readonly chunks: readonly (readonly [key: number, expiresAtMs: number])[];
}

/** What outcomes have in common. */
interface OutcomeKind {
  readonly attempt: number;
  readonly verdict: number;
  /** 0 of a batch: it has an event of its own, and its messages are its members'. */
  readonly recipients: number;
  readonly class: number;
}

interface PagePlan {
  readonly key: number;
  readonly run: string;
  /** Position of the page's first cell. */
  readonly base: number;
  /** First of the cells that outcomes, members and cancellations speak of, and how many there are up to the last. */
  from: number;
  count: number;
  /** Disjoint: from, count, from, count, … */
  readonly accepted: number[];
  /** Disjoint: from, count, from, count, … */
  readonly cancelled: number[];
  /** Three numbers an outcome: cell, kind, latency bucket. */
  readonly outcomes: number[];
  /** What batches mean for the webhooks that they hold: from, count, verdict, … */
  readonly members: number[];
}

/** An outcome and where its webhook stands. */
interface PlacedOutcome {
  readonly outcome: Outcome;
  readonly run: string;
  readonly position: number;
}

/** What an outcome means for its webhook's messages. */
export const VERDICTS = { pending: 0, delivered: 1, failed: 2 } as const;

export interface Counting {
  readonly calls: readonly CountingCall[];
  /** Entries that name no position: a bug of whoever wrote them. */
  readonly uncountable: readonly (Outcome | Acceptance | Cancellation)[];
}

export function planCounting(results: Results, context: CountingContext): Counting {
  const { acceptances = [], outcomes = [], cancellations = [] } = results;
  const [acceptable, oddAcceptances] = partition(
    acceptances,
    ({ run, count }) => RUN.test(run) && count <= ACCEPTED_AT_ONCE_MAX,
  );
  const countable: PlacedOutcome[] = [];
  const oddOutcomes: Outcome[] = [];
  for (const outcome of outcomes) {
    const { webhookId, members, recipients } = outcome;
    const location = parseWebhookId(webhookId);
    if (location !== undefined && (members === undefined || isBatchOf(members, recipients)))
      countable.push({ outcome, run: location.run, position: positionOf(location) });
    else oddOutcomes.push(outcome);
  }
  const [cancellable, oddCancellations] = partition(
    cancellations,
    ({ run, count }) => RUN.test(run) && count <= CANCELLED_AT_ONCE_MAX,
  );
  const cancellationsOf = Map.groupBy(cancellable, ({ campaignId }) => campaignId);
  const acceptancesOf = Map.groupBy(acceptable, ({ campaignId }) => campaignId);
  const outcomesOf = Map.groupBy(countable, ({ outcome }) => outcome.campaignId);
  const campaignIds = new Set([...acceptancesOf.keys(), ...outcomesOf.keys(), ...cancellationsOf.keys()]);
  const calls = [...campaignIds].flatMap((campaignId) => {
    const [first = [], ...others] = inCalls(outcomesOf.get(campaignId) ?? []);
    return [
      planCall(
        campaignId,
        acceptancesOf.get(campaignId) ?? [],
        first,
        cancellationsOf.get(campaignId) ?? [],
        context,
      ),
      ...others.map((part) => planCall(campaignId, [], part, [], context)),
    ];
  });
  return { calls, uncountable: [...oddAcceptances, ...oddOutcomes, ...oddCancellations] };
}

function planCall(
  campaignId: string,
  acceptances: readonly Acceptance[],
  outcomes: readonly PlacedOutcome[],
  cancellations: readonly Cancellation[],
  context: CountingContext,
): CountingCall {
  const names = campaignKeys(context.prefix, campaignId);
  const keys = createTable<string>();
  for (const key of [names.totals, names.latency, names.late]) keys.indexOf(key, () => key);
  const pages = createPages(names, keys);
  const classes = createClasses(names, keys, context);
  for (const { run, from, count } of mergeRanges(acceptances))
    pages.inPages(run, from, count, (page, cell, cells) => page.accepted.push(cell, cells));
  for (const { run, from, count } of mergeRanges(cancellations))
    pages.inPages(run, from, count, (page, cell, cells) => {
      page.cancelled.push(cell, cells);
      touch(page, cell, cells);
    });
  const kinds = createTable<OutcomeKind>();
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  // Neighbours are written together.
  for (const { outcome, run, position } of outcomes.toSorted((a, b) => a.position - b.position)) {
    const occurredAtMs = Date.parse(outcome.occurredAt);
    const page = pages.of(run, position);
    const verdict = verdictOf(outcome);
    for (const { run, from, count } of outcome.members ?? [])
      pages.inPages(run, from, count, (of, cell, cells) => {
        of.members.push(cell, cells, verdict);
        touch(of, cell, cells);
      });
    if (isPlausible(occurredAtMs, context)) {
      first = Math.min(first, occurredAtMs);
      last = Math.max(last, occurredAtMs);
    }
    const kind = {
      attempt: outcome.attempt,
      verdict,
      recipients: outcome.members === undefined ? outcome.recipients : 0,
      class: classes.of(outcome, occurredAtMs),
    };
    const cell = position - page.base;
    touch(page, cell, 1);
    page.outcomes.push(
      cell,
      kinds.indexOf(Object.values(kind).join(' '), () => kind),
      bucketOf(outcome.durationMs),
    );
  }
  const { fields, chunks } = classes;
  return {
    campaignId,
    keys: keys.items,
    plan: {
      keepMs: context.retention.campaignMs,
      first: last === 0 ? 0 : first,
      last,
      due: acceptances.length === 0 ? 0 : earliestDueMs(acceptances, context.nowMs),
      pages: pages.all,
      kinds: kinds.items,
      classes: classes.all,
      fields,
      chunks,
    },
  };
}

/** A producer's clock that is ahead puts nothing off. */
function earliestDueMs(acceptances: readonly Acceptance[], nowMs: number): number {
  const times = acceptances.map(({ acceptedAt, deliverAt }) => deliverAt ?? Math.min(acceptedAt, nowMs));
  return Math.min(...times);
}

/** Widens what the page speaks of. */
function touch(page: PagePlan, cell: number, cells: number): void {
  const from = page.count === 0 ? cell : Math.min(page.from, cell);
  const end = Math.max(page.from + page.count, cell + cells);
  page.from = from;
  page.count = end - from;
}

/** Each member is one recipient: anything else is a mistake, and might be one without end. */
function isBatchOf(members: readonly PositionRange[], recipients: number): boolean {
  return (
    members.every(({ run }) => RUN.test(run)) &&
    recipients <= BATCH_SIZE_MAX &&
    members.reduce((sum, { count }) => sum + count, 0) === recipients
  );
}

function verdictOf({ event, final }: Outcome): number {
  if (event === 'webhook.delivered') return VERDICTS.delivered;
  return final ? VERDICTS.failed : VERDICTS.pending;
}

/** A worker whose clock is years off must not make it the campaign's first or last event. */
export function isPlausible(
  atMs: number,
  { nowMs, retention }: Pick<CountingContext, 'nowMs' | 'retention'>,
): boolean {
  return atMs > nowMs - retention.campaignMs && atMs <= nowMs + AHEAD_MAX_MS;
}

/** The pages that a call touches. */
function createPages(names: CampaignKeys, keys: Table<string>) {
  const pages = createTable<PagePlan>();
  function of(run: string, position: number): PagePlan {
    const page = Math.floor(position / CELLS_PER_PAGE);
    const name = names.marks(run, page);
    const index = pages.indexOf(name, () => ({
      key: keys.indexOf(name, () => name),
      run,
      base: page * CELLS_PER_PAGE,
      from: 0,
      count: 0,
      accepted: [],
      cancelled: [],
      outcomes: [],
      members: [],
    }));
    return pages.items[index - 1] as PagePlan;
  }
  /** The range as its parts within pages. */
  function inPages(
    run: string,
    from: number,
    count: number,
    add: (page: PagePlan, cell: number, cells: number) => void,
  ): void {
    for (let at = from; at < from + count; ) {
      const page = of(run, at);
      const cells = Math.min(from + count, page.base + CELLS_PER_PAGE) - at;
      add(page, at - page.base, cells);
      at += cells;
    }
  }
  return {
    all: pages.items,
    of,
    inPages,
  };
}

/** Outcomes that raise the same fields by one form a class: the script adds once per class and field. */
function createClasses(
  names: CampaignKeys,
  keys: Table<string>,
  { nowMs, retention, groupOf }: CountingContext,
) {
  const classes = createTable<readonly number[]>();
  const fields = createTable<readonly [number, string]>();
  const chunks = createTable<readonly [number, number]>();
  const field = (key: string, name: string) =>
    fields.indexOf(`${key} ${name}`, () => [keys.indexOf(key, () => key), name]);
  return {
    all: classes.items,
    fields: fields.items,
    chunks: chunks.items,
    of(outcome: Outcome, atMs: number): number {
      const { event, reason } = outcome;
      const minute = placeOf('minute', atMs);
      const grouped = groupFieldsOf(outcome, groupOf);
      return classes.indexOf(`${event} ${reason} ${minute.chunk} ${minute.offset} ${grouped}`, () => {
        const counted = [`e:${event}`, ...(reason === undefined ? [] : [`r:${reason}`])];
        const raised = counted.map((name) => field(names.totals, name));
        for (const step of SERIES_STEPS) {
          if (!isKept(step, atMs, nowMs, retention.series)) continue;
          const { chunk, offset } = placeOf(step, atMs);
          const raise = (key: string, fields: readonly string[]) => {
            raised.push(...fields.map((name) => field(key, `${offset}:${name}`)));
            chunks.indexOf(key, () => [
              keys.indexOf(key, () => key),
              chunkExpiresAtMs(step, chunk, retention.series),
            ]);
          };
          raise(names.chunk(step, chunk), counted);
          if (GROUP_STEPS.includes(step)) raise(names.groupChunk(step, chunk), grouped);
        }
        return raised;
      });
    },
  };
}

/** Each position once: the script takes ranges to be disjoint. */
function mergeRanges(ranges: readonly PositionRange[]): PositionRange[] {
  const merged: PositionRange[] = [];
  const sorted = ranges.toSorted((a, b) => (a.run === b.run ? a.from - b.from : a.run < b.run ? -1 : 1));
  for (const { run, from, count } of sorted) {
    const last = merged.at(-1);
    if (last?.run === run && from <= last.from + last.count)
      last.count = Math.max(last.count, from + count - last.from);
    else merged.push({ run, from, count });
  }
  return merged;
}

export interface Table<T> {
  readonly items: T[];
  /** Counted from 1, as Lua does. `create` is called at the first use of the name. */
  indexOf(name: string, create: () => T): number;
}

export function createTable<T>(): Table<T> {
  const items: T[] = [];
  const indexes = new Map<string, number>();
  return {
    items,
    indexOf(name, create) {
      let index = indexes.get(name);
      if (index === undefined) {
        index = items.push(create());
        indexes.set(name, index);
      }
      return index;
    },
  };
}

function partition<T>(items: readonly T[], fits: (item: T) => boolean): [T[], T[]] {
  return [items.filter((item) => fits(item)), items.filter((item) => !fits(item))];
}

/** Cut into what one call takes. */
function inCalls(outcomes: readonly PlacedOutcome[]): PlacedOutcome[][] {
  const calls: PlacedOutcome[][] = [];
  let room = 0;
  for (const placed of outcomes) {
    const { members, recipients } = placed.outcome;
    const weight = 1 + (members === undefined ? 0 : recipients / MEMBERS_PER_OUTCOME);
    if (weight > room) {
      calls.push([]);
      room = OUTCOMES_PER_CALL_MAX;
    }
    calls.at(-1)?.push(placed);
    room -= weight;
  }
  return calls;
}

/**
 * What the fleet has promised, from the operations and their answers alone: when a campaign or channel is held, which
 * limits apply, and which cancels reach a webhook.
 *
 * Each change has two times: its request and its answer. A promise is certain from the answer on, and possible from the
 * request on; the oracle blames the fleet only for what is certain.
 *
 * Judgements, each the stricter reading that a user would expect:
 * - A pause outlives a cancel: only a resume ends both.
 * - A deadline that has passed is a cancel at that time. A later PUT of the controls lets through what is accepted
 *   after it, and revives nothing. A resume doesn't lift a deadline.
 * - A webhook that is accepted while its campaign is cancelled is cancelled, whatever follows.
 * - A replay begins a second life of its webhook: an earlier cancel doesn't reach it, a later one does. It may then end as
 *   cancelled or stay failed, if the counters say the same.
 * - A replay of a campaign that is cancelled, or past its deadline, changes nothing: it is refused, or its dead letters stay
 *   failed and can be replayed after the resume.
 * - A batch is one request of a rate limit, and one attempt of a concurrency limit.
 */
import type { AcceptedWebhook, Done, Moment } from '../history.ts';
import type { Limits, Operation } from '../story.ts';

export interface Hold {
  readonly kind: 'paused' | 'cancelled' | 'deadline';
  readonly name: Place;
  readonly from: Moment;
  /** The operation that ended it. */
  readonly until?: Moment;
  /** A deadline that passed while it was being changed: nobody knows which came first. */
  readonly isUncertain?: boolean;
}

export interface LimitSpan {
  readonly name: Place;
  readonly limits: Limits;
  readonly from: Moment;
  readonly until?: Moment;
  /** No limit was before it that could still be at work. */
  readonly isFirst: boolean;
}

export interface Disturbance {
  readonly kind: 'killed' | 'stopped';
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface Controls {
  readonly state: 'running' | 'paused' | 'cancelled';
  readonly rateLimit?: unknown;
  readonly priority: string;
  readonly deadlineAtMs?: number;
}

export interface Model {
  readonly webhooks: ReadonlyMap<string, AcceptedWebhook>;
  readonly disturbances: readonly Disturbance[];
  readonly replays: readonly Done[];
  holdsOf(place: Place): readonly Hold[];
  limitsOf(place: Place): readonly LimitSpan[];
}

/** `campaign 1`, `channel 2`. */
export type Place = `${'campaign' | 'channel'} ${number}`;

export function placesOf({ campaign, channel }: Pick<AcceptedWebhook, 'campaign' | 'channel'>): Place[] {
  return [`campaign ${campaign}`, ...(channel === undefined ? [] : [`channel ${channel}` as const])];
}

export function modelOf(done: readonly Done[], endedAtMs: number): Model {
  const holds = new Map<Place, Hold[]>();
  const limits = new Map<Place, LimitSpan[]>();
  const deadlines = new Map<Place, Done>();
  const kept = done.filter(isDone).toSorted((a, b) => a.answeredAtMs - b.answeredAtMs);

  const listOf = <T>(lists: Map<Place, T[]>, place: Place): T[] => {
    const list = lists.get(place) ?? [];
    lists.set(place, list);
    return list;
  };

  function begin(place: Place, kind: 'paused' | 'cancelled', from: Done): void {
    const list = listOf(holds, place);
    // A second pause of a paused campaign changes nothing.
    if (!list.some((hold) => hold.kind === kind && hold.until === undefined))
      list.push({ kind, name: place, from: momentOf(from) });
  }

  function lift(place: Place, until: Done): void {
    const list = listOf(holds, place);
    for (const [i, hold] of list.entries())
      if (hold.kind !== 'deadline' && hold.until === undefined) list[i] = { ...hold, until: momentOf(until) };
  }

  function limit(place: Place, next: Limits, from: Done): void {
    const list = listOf(limits, place);
    const last = list.at(-1);
    if (last !== undefined) list[list.length - 1] = { ...last, until: momentOf(from) };
    const isFirst = last === undefined && place.startsWith('channel');
    list.push({ name: place, limits: next, from: momentOf(from), isFirst });
  }

  function passDeadline(place: Place, set: Done, next: Done | undefined): void {
    const atMs = set.deadlineAtMs ?? 0;
    const until = next && momentOf(next);
    if (atMs >= (until?.answeredAtMs ?? endedAtMs)) return;
    const from = { requestedAtMs: atMs, answeredAtMs: Math.max(atMs, set.answeredAtMs) };
    const isUncertain = until !== undefined && until.requestedAtMs < atMs + UNCERTAIN_MS;
    listOf(holds, place).push({ kind: 'deadline', name: place, from, ...(until && { until }), isUncertain });
  }

  for (const one of kept) {
    const { operation } = one;
    switch (operation.kind) {
      case 'pause-campaign':
      case 'pause-channel':
        begin(placeOf(operation), 'paused', one);
        break;
      case 'cancel-campaign':
        begin(placeOf(operation), 'cancelled', one);
        break;
      case 'resume-campaign':
      case 'resume-channel':
        lift(placeOf(operation), one);
        break;
      case 'put-channel':
        limit(`channel ${operation.channel}`, operation.limits, one);
        break;
      case 'put-controls': {
        const place = `campaign ${operation.campaign}` as const;
        const { rateLimit } = operation;
        limit(place, rateLimit === undefined ? {} : { rateLimit }, one);
        const before = deadlines.get(place);
        if (before?.deadlineAtMs !== undefined) passDeadline(place, before, one);
        deadlines.set(place, one);
        break;
      }
      default:
        break;
    }
  }
  for (const [place, set] of deadlines)
    if (set.deadlineAtMs !== undefined) passDeadline(place, set, undefined);

  return {
    webhooks: new Map(kept.flatMap(({ webhooks = [] }) => webhooks.map((one) => [one.id, one]))),
    disturbances: kept.flatMap(disturbanceOf),
    replays: kept.filter(({ operation }) => operation.kind === 'replay-campaign'),
    holdsOf: (place) => holds.get(place) ?? [],
    limitsOf: (place) => limits.get(place) ?? [],
  };
}

// A deadline that is changed so soon after it has passed may count as changed before.
const UNCERTAIN_MS = 100;

/** What GET …/controls must show after these operations. */
export function controlsAfter(done: readonly Done[], campaign: number): Controls {
  let isPaused = false;
  let isCancelled = false;
  let set: Done | undefined;
  for (const one of done.filter(isDone).toSorted((a, b) => a.answeredAtMs - b.answeredAtMs)) {
    if (!('campaign' in one.operation) || one.operation.campaign !== campaign) continue;
    if (one.operation.kind === 'pause-campaign') isPaused = true;
    if (one.operation.kind === 'cancel-campaign') isCancelled = true;
    if (one.operation.kind === 'resume-campaign') isPaused = isCancelled = false;
    if (one.operation.kind === 'put-controls') set = one;
  }
  const put = set?.operation.kind === 'put-controls' ? set.operation : undefined;
  return {
    state: isCancelled ? 'cancelled' : isPaused ? 'paused' : 'running',
    priority: put?.priority ?? 'normal',
    ...(put?.rateLimit !== undefined && { rateLimit: put.rateLimit }),
    ...(set?.deadlineAtMs !== undefined && { deadlineAtMs: set.deadlineAtMs }),
  };
}

function isDone({ status }: Done): boolean {
  return status < 300;
}

export function momentOf({ requestedAtMs, answeredAtMs }: Moment): Moment {
  return { requestedAtMs, answeredAtMs };
}

function placeOf(operation: Extract<Operation, { campaign: number } | { channel: number }>): Place {
  return 'campaign' in operation ? `campaign ${operation.campaign}` : `channel ${operation.channel}`;
}

function disturbanceOf({ operation, requestedAtMs, overAtMs }: Done): Disturbance[] {
  const untilMs = overAtMs ?? Number.POSITIVE_INFINITY;
  if (operation.kind === 'kill-worker') return [{ kind: 'killed', fromMs: requestedAtMs, untilMs }];
  if (operation.kind === 'stop-worker') return [{ kind: 'stopped', fromMs: requestedAtMs, untilMs }];
  return [];
}

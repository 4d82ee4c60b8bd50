/** Custom events on their way to the results queue: all of a call are checked and taken, or none. */
import { BULK_EVENTS_MAX, type FieldError, type TraceContext } from '@hookfleet/contract';
import type { AnswerInTime, EventsOut, EventToReport } from '@hookfleet/queue';
import { keyAt, withKey } from './call-key.ts';
import { type CallRefusal, gatherFaults } from './faults-by-item.ts';
import type { KnownEventTypes } from './known-event-types.ts';
import type { KnownReferences } from './known-references.ts';
import { type OnValues, readEventBody } from './read-event-body.ts';
import { type CheckedEvent, checkEvent, resolveReferences } from './to-report.ts';

// Of properties that are left out.
const NAMED_MAX = 100;
// More may take a second by themselves on a machine that is busy.
const SMALL_EVENTS_MAX = 1_000;

export type Reported =
  | {
      readonly events: readonly EventToReport[];
      /** Properties that are not activated and were left out, by their path: each once for an event's type. */
      readonly ignored: string[];
    }
  | CallRefusal;

export interface EventIntake {
  /**
   * A call's JSON: one event, or up to BULK_EVENTS_MAX. `trace`: what the call belongs to, where it is sampled. `callKey`:
   * call-key.ts.
   */
  report(json: Buffer, trace?: TraceContext, onValues?: OnValues, callKey?: string): Promise<Reported>;
}

export interface EventIntakeOptions {
  readonly events: Pick<EventsOut, 'report'>;
  readonly eventTypes: Pick<KnownEventTypes, 'of' | 'refresh'>;
  readonly references: KnownReferences;
  /** Bounds what is asked of Redis, where a caller waits for the answer. */
  readonly answerInTime?: AnswerInTime | undefined;
  readonly now: () => number;
}

export function createEventIntake(options: EventIntakeOptions): EventIntake {
  const { events, eventTypes, references, answerInTime = (work) => work(), now } = options;

  async function check(items: readonly Item[]): Promise<AllChecked> {
    const context = { typeOf: eventTypes.of, nowMs: now() };
    const first = checkAll(items, context);
    if ('placed' in first || !first.errors.some(isNotActivated)) return first;
    // An event that is not activated may have been so a moment ago, elsewhere.
    await eventTypes.refresh();
    return checkAll(items, context);
  }

  /**
   * Also tells which campaigns the references stand for that came beside their ids. In the order of the call: an event
   * has what an earlier one told, else what was known before the call. If neither is there, a later event of the call
   * may tell it.
   */
  async function resolve(
    placed: readonly Placed[],
  ): Promise<{ readonly events: EventToReport[] } | CallRefusal> {
    const firstTold = new Map<string, string>();
    const asked = new Set<string>();
    for (const { checked } of placed) {
      const { campaignId, campaignReference } = checked;
      if (campaignReference === undefined || firstTold.has(campaignReference)) continue;
      if (campaignId === undefined) asked.add(campaignReference);
      else firstTold.set(campaignReference, campaignId);
    }
    const byReference = placed.some(({ checked }) => checked.channelReference !== undefined);
    const [known, channels] = await Promise.all([
      references.campaigns(asked),
      byReference ? references.channels() : new Map<string, string>(),
    ]);
    const told = new Map<string, string>();
    const campaigns = {
      get: (reference: string) => told.get(reference) ?? known.get(reference) ?? firstTold.get(reference),
    };
    const resolved = placed.map(({ path, checked }) => {
      const { campaignId, campaignReference } = checked;
      if (campaignId !== undefined && campaignReference !== undefined)
        told.set(campaignReference, campaignId);
      return { path, ...resolveReferences(checked, { campaigns, channels }) };
    });
    const faults = gatherFaults();
    for (const one of resolved) if ('errors' in one) faults.add(one.path, below(one.path, one.errors));
    const refusal = faults.refusal();
    if (refusal !== undefined) return refusal;
    await references.learn(told);
    return { events: resolved.flatMap((one) => ('event' in one ? one.event : [])) };
  }

  function reportAll(items: readonly Item[], trace: TraceContext | undefined): Promise<Reported> {
    return answerInTime(() => checkAndReport(items, trace), items.length > SMALL_EVENTS_MAX);
  }

  async function checkAndReport(items: readonly Item[], trace: TraceContext | undefined): Promise<Reported> {
    const checked = await check(items);
    if ('errors' in checked) return checked;
    const resolved = await resolve(checked.placed);
    if ('errors' in resolved) return resolved;
    await events.report(resolved.events, trace);
    return { events: resolved.events, ignored: ignoredOf(checked.placed) };
  }

  return {
    async report(json, trace, onValues, callKey) {
      const body = readEventBody(json, onValues);
      if ('errors' in body) return { errors: body.errors.slice(0, NAMED_MAX) };
      if ('one' in body)
        return reportAll([{ path: '', value: withKey(body.one, 'id', keyAt(callKey)) }], trace);
      if (body.many.length === 0)
        return { errors: [{ field: 'events', type: 'REQUIRED', detail: 'holds no event' }] };
      if (body.many.length > BULK_EVENTS_MAX) {
        const detail = `must NOT have more than ${BULK_EVENTS_MAX} items`;
        return { errors: [{ field: 'events', type: 'TOO_LONG', detail }] };
      }
      return reportAll(
        body.many.map((value, at) => ({
          path: `events[${at}]`,
          value: withKey(value, 'id', keyAt(callKey, at)),
        })),
        trace,
      );
    },
  };
}

interface Item {
  /** Where it stands in the call, as in events[3]; empty for the call itself. */
  readonly path: string;
  readonly value: unknown;
}

interface Placed {
  readonly path: string;
  readonly checked: CheckedEvent;
}

type AllChecked = { readonly placed: Placed[] } | CallRefusal;

/** Everything in order, or all that is at fault. */
function checkAll(items: readonly Item[], context: Parameters<typeof checkEvent>[1]): AllChecked {
  const placed: Placed[] = [];
  const faults = gatherFaults();
  for (const { path, value } of items) {
    if (faults.isFull(path)) break;
    const result = checkEvent(value, context);
    if ('errors' in result) faults.add(path, below(path, result.errors));
    else placed.push({ path, checked: result.checked });
  }
  return faults.refusal() ?? { placed };
}

function isNotActivated({ field, type }: FieldError): boolean {
  return type === 'UNKNOWN_VALUE' && /(?:^|\.)event$/.test(field);
}

function below(path: string, errors: readonly FieldError[]): FieldError[] {
  if (path === '') return [...errors];
  return errors.map((error) => ({
    ...error,
    field: error.field === '' ? path : `${path}.${error.field}`,
  }));
}

/** Each property once for an event's type: a thousand events with the same one tell no more than the first. */
function ignoredOf(placed: readonly Placed[]): string[] {
  const seen = new Map<string, string>();
  for (const { path, checked } of placed) {
    for (const field of checked.ignored) {
      const key = `${checked.event.event} ${field.replace(/\[\d+\]/g, '[]')}`;
      if (!seen.has(key)) seen.set(key, path === '' ? field : `${path}.${field}`);
    }
  }
  return [...seen.values()].slice(0, NAMED_MAX);
}

/** POST /v1/events: one custom event, an array, or {"events": […]}; all of a call are taken, or none. */
import { BULK_EVENTS_MAX, CustomEvent, type FieldError, Problem } from '@hookfleet/contract';
import { invalidInput } from '@hookfleet/http-api';
import type { EventsOut, EventToReport } from '@hookfleet/queue';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { KnownEventTypes } from '../known-event-types.ts';
import type { KnownReferences } from '../known-references.ts';
import { type CheckedEvent, checkEvent, resolveReferences } from '../to-report.ts';

// 4 KiB an event where a call holds the most of them.
const BODY_BYTES_MAX = 4 * 1024 * 1024;
// Beyond so many faults, a call is not read any further. Properties that are left out are named up to as many.
const NAMED_MAX = 100;

const Accepted = Type.Object({
  accepted: Type.Integer({ description: 'Events taken; those that were counted before are among them.' }),
  ignored: Type.Array(Type.String(), {
    description:
      "Properties that are not activated and were left out, by their path, as in properties.price or events[3].properties.price: each once for an event's type, where it came first.",
  }),
});

const Events = Type.Array(CustomEvent, { minItems: 1, maxItems: BULK_EVENTS_MAX });

export interface EventRoutesOptions {
  readonly events: EventsOut;
  readonly eventTypes: Pick<KnownEventTypes, 'of' | 'refresh'>;
  readonly references: KnownReferences;
  readonly onReceived: (event: string, count: number) => void;
  readonly now: () => number;
}

export function addEventRoutes(app: FastifyInstance, options: EventRoutesOptions): void {
  const { events, eventTypes, references, onReceived, now } = options;

  async function check(items: readonly Item[]): Promise<Placed[]> {
    const context = { typeOf: eventTypes.of, nowMs: now() };
    const first = checkAll(items, context);
    if ('placed' in first) return first.placed;
    // An event that is not activated may have been so a moment ago, at another producer.
    if (first.errors.some(isNotActivated)) {
      await eventTypes.refresh();
      const second = checkAll(items, context);
      if ('placed' in second) return second.placed;
      throw invalidInput(second.errors);
    }
    throw invalidInput(first.errors);
  }

  /** Also tells which campaigns the references stand for that came beside their ids. */
  async function resolve(placed: readonly Placed[]): Promise<EventToReport[]> {
    const told = new Map(
      placed.flatMap(({ checked: { campaignId, campaignReference } }): [string, string][] =>
        campaignId === undefined || campaignReference === undefined ? [] : [[campaignReference, campaignId]],
      ),
    );
    const asked = new Set(
      placed.flatMap(({ checked: { campaignId, campaignReference } }) =>
        campaignId === undefined && campaignReference !== undefined && !told.has(campaignReference)
          ? campaignReference
          : [],
      ),
    );
    const byReference = placed.some(({ checked }) => checked.channelReference !== undefined);
    const [campaigns, channels] = await Promise.all([
      references.campaigns(asked),
      byReference ? references.channels() : new Map<string, string>(),
    ]);
    const known = { campaigns: new Map([...campaigns, ...told]), channels };
    const resolved = placed.map(({ path, checked }) => ({ path, ...resolveReferences(checked, known) }));
    const errors = resolved.flatMap((one) => ('errors' in one ? below(one.path, one.errors) : []));
    if (errors.length > 0) throw invalidInput(errors.slice(0, NAMED_MAX));
    await references.learn(told);
    return resolved.flatMap((one) => ('event' in one ? one.event : []));
  }

  app.post(
    '/v1/events',
    {
      bodyLimit: BODY_BYTES_MAX,
      config: { needs: 'enqueue' },
      // The body is checked by checkEvent, once: the schema here is what the documentation shows.
      validatorCompiler: () => () => true,
      schema: {
        summary: 'Report one custom event or up to 1,000, all or none',
        description:
          "Each event must be activated (PUT /v1/event-types/{name}). With an id, an event that is reported again is counted once, also after a call that ended in 503 or without an answer. An event's numbers stand in its campaign's statistics, other properties are checked and not kept.",
        body: Type.Union([CustomEvent, Events, Type.Object({ events: Events })]),
        response: { 202: Accepted, '4xx': Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const placed = await check(itemsOf(request.body));
      const reported = await resolve(placed);
      await events.report(reported);
      const counts = Map.groupBy(reported, ({ event }) => event);
      for (const [event, ofEvent] of counts) onReceived(event, ofEvent.length);
      const campaignIds = [...new Set(reported.map(({ campaignId }) => campaignId))].slice(0, 10);
      request.log.info(
        { events: reported.length, campaignIds, names: [...counts.keys()] },
        'events.accepted',
      );
      return reply.code(202).send({ accepted: reported.length, ignored: ignoredOf(placed) });
    },
  );
}

interface Item {
  /** Where it stands in the request, as in events[3]; empty for the request itself. */
  readonly path: string;
  readonly value: unknown;
}

interface Placed {
  readonly path: string;
  readonly checked: CheckedEvent;
}

function itemsOf(body: unknown): Item[] {
  if (Array.isArray(body)) return inBulk(body);
  if (typeof body !== 'object' || body === null || !('events' in body)) return [{ path: '', value: body }];
  const { events, ...others } = body;
  const errors: FieldError[] = Object.keys(others).map((field) => ({
    field,
    type: 'UNKNOWN_FIELD',
    detail: 'is not a field of this object, or not allowed here',
  }));
  if (!Array.isArray(events))
    errors.unshift({ field: 'events', type: 'WRONG_TYPE', detail: 'must be array' });
  if (errors.length > 0) throw invalidInput(errors);
  return inBulk(events as unknown[]);
}

function inBulk(values: readonly unknown[]): Item[] {
  if (values.length === 0)
    throw invalidInput([{ field: 'events', type: 'REQUIRED', detail: 'holds no event' }]);
  if (values.length > BULK_EVENTS_MAX) {
    const detail = `must NOT have more than ${BULK_EVENTS_MAX} items`;
    throw invalidInput([{ field: 'events', type: 'TOO_LONG', detail }]);
  }
  return values.map((value, at) => ({ path: `events[${at}]`, value }));
}

/** Everything in order, or all that is at fault. */
function checkAll(
  items: readonly Item[],
  context: Parameters<typeof checkEvent>[1],
): { readonly placed: Placed[] } | { readonly errors: FieldError[] } {
  const placed: Placed[] = [];
  const errors: FieldError[] = [];
  for (const { path, value } of items) {
    const result = checkEvent(value, context);
    if ('errors' in result) errors.push(...below(path, result.errors));
    else placed.push({ path, checked: result.checked });
    if (errors.length >= NAMED_MAX) break;
  }
  return errors.length > 0 ? { errors: errors.slice(0, NAMED_MAX) } : { placed };
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

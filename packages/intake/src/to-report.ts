/** From custom events as a caller writes them to events as the queue takes them, or the fields at fault. Pure. */
import { compileValidator, CustomEvent, type FieldError, type Identifier } from '@hookfleet/contract';
import type { EventToReport } from '@hookfleet/queue';
import type { KnownEventType } from './known-event-types.ts';

// A clock that is ahead by more than this is wrong, and the aggregator would make no step for it.
const AHEAD_MAX_MS = 24 * 3_600_000;

const RESERVED = /^(?:webhook|campaign)\./;

const validateEvent = compileValidator<CustomEvent>(CustomEvent);

/** What the event's fields and its type say, before its references are looked up. */
export interface CheckedEvent {
  readonly event: Omit<EventToReport, 'campaignId' | 'channelConfigId'>;
  readonly campaignId: string | undefined;
  readonly campaignReference: string | undefined;
  readonly channelConfigId: string | undefined;
  /** Looked up where channelConfigId is absent. */
  readonly channelReference: string | undefined;
  /** Fields that are left out, for they are not activated: as in properties.price. */
  readonly ignored: readonly string[];
}

export interface CheckContext {
  readonly typeOf: (name: string) => KnownEventType | undefined;
  readonly nowMs: number;
}

export type CheckedOrErrors = { readonly checked: CheckedEvent } | { readonly errors: FieldError[] };

export function checkEvent(value: unknown, { typeOf, nowMs }: CheckContext): CheckedOrErrors {
  const valid = validateEvent(value);
  if ('errors' in valid) return valid;
  const { value: event } = valid;
  const errors: FieldError[] = [];
  const occurredAt = event.occurredAt === undefined ? nowMs : Date.parse(event.occurredAt);
  if (!(occurredAt <= nowMs + AHEAD_MAX_MS))
    errors.push({ field: 'occurredAt', type: 'INVALID_VALUE', detail: 'must be at most 24 hours ahead' });
  if (event.campaignId === undefined && event.campaignExternalReferenceId === undefined) {
    errors.push({
      field: 'campaignId',
      type: 'REQUIRED',
      detail: 'one of campaignId and campaignExternalReferenceId is needed',
    });
  }
  const type = typeOf(event.event);
  if (type === undefined) errors.push(notActivated(event.event));
  const { properties = {} } = event;
  const found = type === undefined ? [] : errorsOf(type.validate(properties));
  errors.push(...found.map((error) => ({ ...error, field: joined('properties', error.field) })));
  if (errors.length > 0 || type === undefined) return { errors };
  const given = properties as Readonly<Record<string, unknown>>;
  const numbers = [...type.numeric]
    .map((name) => [name, Object.hasOwn(given, name) ? given[name] : undefined] as const)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return {
    checked: {
      event: {
        event: event.event,
        ...(event.id !== undefined && { id: event.id }),
        ...(event.messageId !== undefined && { messageId: String(event.messageId) }),
        occurredAt,
        ...(numbers.length > 0 && { numbers: Object.fromEntries(numbers) }),
      },
      campaignId: textOf(event.campaignId),
      campaignReference: textOf(event.campaignExternalReferenceId),
      channelConfigId: textOf(event.channelConfigId),
      channelReference:
        event.channelConfigId === undefined ? textOf(event.channelConfigExternalReferenceId) : undefined,
      ignored: type.othersIn(given).map((field) => joined('properties', field)),
    },
  };
}

export interface References {
  readonly campaigns: Pick<ReadonlyMap<string, string>, 'get'>;
  readonly channels: ReadonlyMap<string, string>;
}

export type ReportOrErrors = { readonly event: EventToReport } | { readonly errors: FieldError[] };

/** Puts ids in the place of references. */
export function resolveReferences(
  checked: CheckedEvent,
  { campaigns, channels }: References,
): ReportOrErrors {
  const { event, campaignReference = '', channelReference } = checked;
  const campaignId = checked.campaignId ?? campaigns.get(campaignReference);
  const channelConfigId =
    channelReference === undefined ? checked.channelConfigId : channels.get(channelReference);
  const errors: FieldError[] = [];
  if (campaignId === undefined) {
    errors.push({
      field: 'campaignExternalReferenceId',
      type: 'UNKNOWN_VALUE',
      detail: `no event has told which campaign ${campaignReference} is: send one with campaignId beside it`,
    });
  }
  if (channelReference !== undefined && channelConfigId === undefined) {
    errors.push({
      field: 'channelConfigExternalReferenceId',
      type: 'UNKNOWN_VALUE',
      detail: `there is no channel with the externalReferenceId ${channelReference}`,
    });
  }
  if (campaignId === undefined || errors.length > 0) return { errors };
  return { event: { ...event, campaignId, ...(channelConfigId !== undefined && { channelConfigId }) } };
}

function notActivated(name: string): FieldError {
  const detail = RESERVED.test(name)
    ? `${name} is one of hookfleet's own events, which are counted from what happens`
    : `${name} is not activated: PUT /v1/event-types/${name} with its properties' types first`;
  return { field: 'event', type: 'UNKNOWN_VALUE', detail };
}

function errorsOf(checked: ReturnType<KnownEventType['validate']>): readonly FieldError[] {
  return 'errors' in checked ? checked.errors : [];
}

function textOf(id: Identifier | undefined): string | undefined {
  return id === undefined ? undefined : String(id);
}

/** A property whose name is a number has a path that begins with a bracket. */
function joined(path: string, field: string): string {
  return field === '' || field.startsWith('[') ? path + field : `${path}.${field}`;
}

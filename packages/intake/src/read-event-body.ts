/**
 * The body of POST /v1/events as values: one event, an array, or `{"events": […]}` and nothing beside it. A number that
 * a double would change is a fault of its field, whatever the field is.
 */
import { isUtf8 } from 'node:buffer';
import { type FieldError, JSON_VALUES_MAX, JsonReader, PAYLOAD_DEPTH_MAX } from '@hookfleet/contract';
import { changedNumbers, invalidUtf8, unreadable } from './json-faults.ts';

export type EventBody =
  | { readonly one: unknown }
  | { readonly many: readonly unknown[] }
  | { readonly errors: FieldError[] };

/** Told how many values a body holds before they are made. What it throws is thrown to the caller. */
export type OnValues = (values: number) => void;

export function readEventBody(body: Buffer, onValues: OnValues = () => undefined): EventBody {
  if (!isUtf8(body)) return { errors: [invalidUtf8('')] };
  const reader = new JsonReader(body, { depthMax: PAYLOAD_DEPTH_MAX, valuesMax: JSON_VALUES_MAX });
  reader.notesNumbers = true;
  reader.peek();
  const start = reader.at;
  try {
    reader.skipValue();
    reader.end();
  } catch (error) {
    return { errors: [unreadable(error)] };
  }
  onValues(reader.values);
  const value: unknown = JSON.parse(reader.text(start, reader.at));
  const changed = changedNumbers(reader, start, reader.at);
  if (changed.length > 0) {
    return {
      errors: Array.isArray(value)
        ? changed.map((error) => ({ ...error, field: `events${error.field}` }))
        : changed,
    };
  }
  return shapeOf(value);
}

function shapeOf(value: unknown): EventBody {
  if (Array.isArray(value)) return { many: value };
  if (typeof value !== 'object' || value === null || !('events' in value)) return { one: value };
  const { events, ...others } = value;
  const errors = Object.keys(others).map((field) => ({
    field,
    type: 'UNKNOWN_FIELD',
    detail: 'is not a field of this object, or not allowed here',
  }));
  if (!Array.isArray(events))
    errors.unshift({ field: 'events', type: 'WRONG_TYPE', detail: 'must be array' });
  return errors.length > 0 ? { errors } : { many: events as unknown[] };
}

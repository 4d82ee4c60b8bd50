/**
 * Webhooks as a caller wrote them: the envelope as a value, the payload as the text that it was written in. One pass
 * over the bytes finds the payload and says whether it is JSON; it is neither parsed nor serialized.
 *
 * What can't be kept is at fault: bytes that are no UTF-8, a field that is given twice, a number that a double would
 * change, nesting beyond the limit.
 */
import { isUtf8 } from 'node:buffer';
import {
  type FieldError,
  JSON_BYTES,
  JsonReader,
  JsonTextError,
  PAYLOAD_DEPTH_MAX,
  textOf,
} from '@hookfleet/contract';
import {
  type Cut,
  changedNumbers,
  givenTwice,
  invalidUtf8,
  nestedTooDeeply,
  unreadable,
  withCuts,
} from './json-faults.ts';

// What is nested beyond the limit is passed over, so that faults behind it are named too; up to here, for a level costs
// memory.
const SKIPPED_DEPTH_MAX = 100_000;
// A webhook has a dozen fields. One with thousands would cost as much as thousands of webhooks.
const FIELDS_MAX = 100;
// Values within them, which a parser makes: a destination has some hundreds.
const VALUES_MAX = 10_000;
// Beside the payload: a body of 1 MiB, every character of it as an escape, and the other fields.
const ENVELOPE_BYTES_MAX = 6.25 * 1024 * 1024;

export interface WebhookText {
  /** With null in the payload's place. */
  readonly value: unknown;
  /** JSON, byte for byte. */
  readonly payload?: string;
  /** Each field by its path in the webhook, or '' for the whole. */
  readonly faults: readonly FieldError[];
}

/** What is at fault with a call beside its webhooks. */
export interface CallFaults {
  readonly callFaults: readonly FieldError[];
}

/** One webhook, or what else has a `payload`. A text that isn't JSON is a fault. */
export function readWebhook(json: Buffer): WebhookText {
  const isValid = isUtf8(json);
  const reader = new JsonReader(json, { depthMax: PAYLOAD_DEPTH_MAX, valuesMax: VALUES_MAX });
  try {
    const { webhook, isWhole } = readItem(reader, isValid);
    if (isWhole) reader.end();
    return isValid || webhook.faults.length > 0 ? webhook : { ...webhook, faults: [invalidUtf8('')] };
  } catch (error) {
    return { value: undefined, faults: [unreadable(error)] };
  }
}

interface Item {
  readonly webhook: WebhookText;
  /** False where the reader stands in the midst of it: what comes behind can't be read. */
  readonly isWhole: boolean;
}

/** Moves behind the webhook that comes next. Throws where it is no JSON. */
function readItem(reader: JsonReader, isValid: boolean): Item {
  const { bytes } = reader;
  if (reader.peek() !== JSON_BYTES.openObject) {
    const start = reader.at;
    reader.skipValue();
    // No webhook, whatever it is: its type is its fault.
    return { webhook: { value: JSON.parse(textOf(bytes, start, reader.at)), faults: [] }, isWhole: true };
  }
  const faults: FieldError[] = [];
  const start = reader.at;
  let isTooDeep = false;
  let cut: Cut | undefined;
  let members = 0;
  reader.enter();
  for (; reader.nextMember(members === 0); members += 1) {
    if (members === FIELDS_MAX) {
      faults.push({ field: '', type: 'TOO_LONG', detail: `must not have more than ${FIELDS_MAX} fields` });
      return { webhook: { value: undefined, faults }, isWhole: false };
    }
    const { nameStart, nameEnd } = reader;
    const isPayload = reader.isNamed('payload');
    reader.notesNumbers = !isPayload;
    reader.countsValues = !isPayload;
    reader.peek();
    const valueStart = reader.at;
    if (!isWithin(reader, PAYLOAD_DEPTH_MAX)) {
      isTooDeep = true;
      faults.push(nestedTooDeeply(nameOf(bytes, nameStart, nameEnd)));
      if (!isWithin(reader, SKIPPED_DEPTH_MAX))
        return { webhook: { value: undefined, faults }, isWhole: false };
    }
    if (isPayload) cut = { start: valueStart, end: reader.at, put: 'null' };
    if (!isValid && !isUtf8(bytes.subarray(nameStart, reader.at)))
      faults.push(invalidUtf8(nameOf(bytes, nameStart, nameEnd)));
  }
  // A parser of ours is given nothing that is nested without end.
  if (isTooDeep) return { webhook: { value: undefined, faults }, isWhole: true };
  const end = reader.at;
  if (end - start - (cut === undefined ? 0 : cut.end - cut.start) > ENVELOPE_BYTES_MAX) {
    faults.push({ field: '', type: 'TOO_LONG', detail: 'must not exceed 6.25 MiB beside its payload' });
    return { webhook: { value: undefined, faults }, isWhole: true };
  }
  const { envelope, payload } = taken(bytes, start, end, cut);
  const value = JSON.parse(envelope) as object;
  // Which of them the caller meant is not for us to choose.
  if (Object.keys(value).length < members) faults.push(...repeatedFields(bytes.subarray(start, end)));
  if (reader.longNumbers.length > 0) faults.push(...changedNumbers(reader, start, end, cut));
  return { webhook: payload === undefined ? { value, faults } : { value, payload, faults }, isWhole: true };
}

/** Moves behind the value, unless it is nested more deeply: then false. */
function isWithin(reader: JsonReader, depthMax: number): boolean {
  try {
    reader.skipValue(depthMax);
    return true;
  } catch (error) {
    if (error instanceof JsonTextError && error.reason === 'depth') return false;
    throw error;
  }
}

/** The texts of the payload and of what is around it. */
function taken(
  bytes: Buffer,
  start: number,
  end: number,
  cut: Cut | undefined,
): { readonly envelope: string; readonly payload?: string } {
  const whole = textOf(bytes, start, end);
  if (cut === undefined) return { envelope: whole };
  // Of ASCII alone, a character is a byte: the text is decoded once.
  if (whole.length === end - start) {
    return {
      envelope: whole.slice(0, cut.start - start) + cut.put + whole.slice(cut.end - start),
      payload: whole.slice(cut.start - start, cut.end - start),
    };
  }
  return { envelope: withCuts(bytes, start, end, [cut]), payload: textOf(bytes, cut.start, cut.end) };
}

function nameOf(bytes: Buffer, start: number, end: number): string {
  return JSON.parse(textOf(bytes, start - 1, end + 1)) as string;
}

function repeatedFields(object: Buffer): FieldError[] {
  const reader = new JsonReader(object);
  const seen = new Set<string>();
  const repeated = new Set<string>();
  reader.enter();
  for (let isFirst = true; reader.nextMember(isFirst); isFirst = false) {
    const name = reader.name();
    if (seen.has(name)) repeated.add(name);
    seen.add(name);
    reader.skipValue();
  }
  return [...repeated].map(givenTwice);
}

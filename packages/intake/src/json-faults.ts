/** What is at fault with a JSON text before anybody asks what it means: it can't be read, or can't be kept. */
import {
  ERRORS_MAX,
  type FieldError,
  isKeptByDouble,
  type JsonReader,
  JsonTextError,
  PAYLOAD_DEPTH_MAX,
  pathInto,
  shortPath,
  textOf,
} from '@hookfleet/contract';

/** A part of a text, and what stands in its place. */
export interface Cut {
  readonly start: number;
  readonly end: number;
  readonly put: string;
}

// No double is larger: whatever has this value in a text that was parsed has been put there, or would be changed too.
const MARK = '1e999';

export function invalidUtf8(field: string): FieldError {
  return invalid(field, 'is not valid UTF-8');
}

export function nestedTooDeeply(field: string): FieldError {
  return invalid(field, `must not be nested more than ${PAYLOAD_DEPTH_MAX} levels deep`);
}

export function givenTwice(field: string): FieldError {
  return invalid(field, 'is given more than once');
}

/** Of the whole text. Throws errors of another kind. */
export function unreadable(error: unknown): FieldError {
  if (!(error instanceof JsonTextError)) throw error;
  return { field: '', type: error.reason === 'values' ? 'TOO_LONG' : 'INVALID_VALUE', detail: error.message };
}

/** The text from `start` to `end`, other texts in the places of its cuts, which come in order. */
export function withCuts(bytes: Buffer, start: number, end: number, cuts: readonly Cut[]): string {
  let text = '';
  let at = start;
  for (const cut of cuts) {
    text += textOf(bytes, at, cut.start) + cut.put;
    at = cut.end;
  }
  return text + textOf(bytes, at, end);
}

/**
 * A fault for each number that a double would change, of those that the reader has noted in this part of the text: for
 * ERRORS_MAX of them at most.
 */
export function changedNumbers(
  { bytes, longNumbers }: JsonReader,
  start: number,
  end: number,
  cut?: Cut,
): FieldError[] {
  const changed: { readonly start: number; readonly end: number }[] = [];
  for (const number of longNumbers) {
    if (isKeptByDouble(textOf(bytes, number.start, number.end))) continue;
    changed.push(number);
    if (changed.length === ERRORS_MAX) break;
  }
  if (changed.length === 0) return [];
  // Only a parser tells paths: it is given the text again, with marks where the numbers are.
  const marks = changed.map((number): Cut => ({ ...number, put: MARK }));
  const marked = [...(cut === undefined ? [] : [cut]), ...marks].sort((a, b) => a.start - b.start);
  const faults: FieldError[] = [];
  for (const field of fieldsOfMarks(JSON.parse(withCuts(bytes, start, end, marked)), '')) {
    faults.push(
      invalid(
        field,
        `is a number that would be changed: must be within ±${Number.MAX_SAFE_INTEGER}, or a text`,
      ),
    );
    if (faults.length === ERRORS_MAX) break;
  }
  return faults;
}

function invalid(field: string, detail: string): FieldError {
  return { field: shortPath(field), type: 'INVALID_VALUE', detail };
}

function* fieldsOfMarks(value: unknown, path: string): Generator<string> {
  if (value === Number.POSITIVE_INFINITY) yield path;
  else if (typeof value === 'object' && value !== null)
    for (const [name, inner] of Object.entries(value)) yield* fieldsOfMarks(inner, pathInto(path, name));
}

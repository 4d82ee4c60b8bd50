/**
 * What of a webhook's content goes where: body, content type and query, by the destination's method and contentType.
 * Pure. A payload arrives as JSON (without a contentType of its own) and finds a form in each of them, so that nothing
 * is dropped; a body goes out as it is.
 *
 * Values are taken from the payload's text, not from what a parser makes of it: numbers keep their digits, members
 * their order, and what has members itself its bytes. A text that UTF-8 has no bytes for (half of a surrogate pair)
 * stays as JSON writes it.
 */
import type { BundledWebhook } from './bundle.ts';
import type { Destination } from './destination.ts';
import { JSON_BYTES, JsonReader, JsonTextError } from './json-text.ts';

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

export interface RequestContent {
  readonly body: string;
  /** Absent where nothing is sent. */
  readonly contentType?: string;
  /** To be added to the URL's. */
  readonly query?: string;
}

export function requestContent(
  { body, contentType }: Pick<BundledWebhook, 'body' | 'contentType'>,
  destination: Pick<Destination, 'method' | 'contentType'>,
): RequestContent {
  const isPayload = contentType === undefined;
  if (destination.method === 'GET') {
    const query = isPayload ? toForm(body) : isForm(contentType) ? body : pair('body', body);
    return body === '' || query === '' ? { body: '' } : { body: '', query };
  }
  if (!isPayload) return { body, contentType };
  // Neither payload nor body, as a DELETE may have it.
  if (body === '') return { body };
  const wanted = destination.contentType ?? JSON_TYPE;
  switch (wanted) {
    case 'application/json':
      return { body, contentType: JSON_TYPE };
    case 'application/x-www-form-urlencoded':
      return { body: toForm(body), contentType: FORM_TYPE };
    case 'text/plain':
      return { body: textOf(body) ?? body, contentType: 'text/plain; charset=utf-8' };
    case 'application/xml': {
      const text = textOf(body);
      return text === undefined ? { body, contentType: JSON_TYPE } : { body: text, contentType: wanted };
    }
  }
}

/** With the query behind the URL's own, and without user and password. */
export function withQuery(url: URL, query: string | undefined): string {
  const whole = new URL(url);
  if (query !== undefined) whole.search = whole.search === '' ? query : `${whole.search.slice(1)}&${query}`;
  whole.username = '';
  whole.password = '';
  return whole.href;
}

/** The text that a payload is, if it is one. */
function textOf(payload: string): string | undefined {
  if (!payload.startsWith('"')) return undefined;
  try {
    const text = JSON.parse(payload) as string;
    return text.isWellFormed() ? text : undefined;
  } catch {
    return undefined;
  }
}

function isForm(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === FORM_TYPE;
}

/**
 * A pair for each member, and for each item of a list; what has members itself stays JSON. What is no JSON was put there
 * by somebody else, and is taken for a text.
 */
function toForm(payload: string): string {
  try {
    const reader = new JsonReader(Buffer.from(payload));
    if (reader.peek() !== JSON_BYTES.openObject) return pair('payload', valueText(payload));
    const form = new URLSearchParams(pairsOf(reader));
    reader.end();
    return form.toString();
  } catch (error) {
    if (error instanceof JsonTextError) return pair('payload', payload);
    throw error;
  }
}

function* pairsOf(object: JsonReader): Generator<[name: string, value: string]> {
  object.enter();
  for (let isFirst = true; object.nextMember(isFirst); isFirst = false) {
    const name = valueText(object.text(object.nameStart - 1, object.nameEnd + 1));
    if (object.peek() === JSON_BYTES.openArray) {
      object.enter();
      for (let isFirstItem = true; object.nextItem(isFirstItem); isFirstItem = false)
        yield [name, valueText(nextText(object))];
    } else yield [name, valueText(nextText(object))];
  }
}

function nextText(reader: JsonReader): string {
  reader.peek();
  const start = reader.at;
  reader.skipValue();
  return reader.text(start, reader.at);
}

/** Of a member, by its JSON. */
function valueText(json: string): string {
  return json === 'null' ? '' : (textOf(json) ?? json);
}

function pair(name: string, value: string): string {
  return new URLSearchParams([[name, value]]).toString();
}

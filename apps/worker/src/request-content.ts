/**
 * What of a webhook's content goes where: body, content type and query, by the destination's method and contentType.
 * Pure. A payload arrives as JSON (without a contentType of its own) and finds a form in each of them, so that nothing
 * is dropped; a body goes out as it is.
 */
import type { BundledWebhook, Destination } from '@hookfleet/contract';

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
    const query = isPayload ? toForm(parsed(body)) : isForm(contentType) ? body : pair('body', body);
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
      return { body: toForm(parsed(body)), contentType: FORM_TYPE };
    case 'text/plain':
      return { body: textOf(body) ?? body, contentType: 'text/plain; charset=utf-8' };
    case 'application/xml': {
      const text = textOf(body);
      return text === undefined ? { body, contentType: JSON_TYPE } : { body: text, contentType: wanted };
    }
  }
}

/** What is no JSON was put there by somebody else, and is taken for a text. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function textOf(body: string): string | undefined {
  const payload = parsed(body);
  return typeof payload === 'string' ? payload : undefined;
}

function isForm(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === FORM_TYPE;
}

/** A pair for each member, and for each item of a list; what has members itself stays JSON. */
function toForm(payload: unknown): string {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    return pair('payload', toValue(payload));
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(payload))
    for (const item of Array.isArray(value) ? value : [value]) form.append(name, toValue(item));
  return form.toString();
}

function pair(name: string, value: string): string {
  return new URLSearchParams([[name, value]]).toString();
}

function toValue(value: unknown): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

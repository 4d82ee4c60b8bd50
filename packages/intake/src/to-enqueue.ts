/** From a webhook as a caller writes it to one as the queue takes it, or the fields at fault. Pure. */
import {
  type BundledWebhook,
  compileValidator,
  type Destination,
  type FieldError,
  type Identifier,
  requestContent,
  Webhook,
  withQuery,
} from '@hookfleet/contract';
import type { WebhookToEnqueue } from '@hookfleet/queue';
import type { WebhookText } from './webhook-text.ts';

/** Of one webhook's body as it will be sent. */
export const WEBHOOK_BYTES_MAX = 1024 * 1024;

/** Of the URL of a GET, with what is put into its query. Servers and proxies take 8,000 (RFC 9110, 4.1). */
export const URL_BYTES_MAX = 8_000;

const DELIVER_AT_AHEAD_MAX_MS = 366 * 86_400_000;

// With the flag u, a whole pair is one character.
const HALF_PAIR = /\p{Surrogate}/u;

const validateWebhook = compileValidator<Webhook>(Webhook);

export type Checked = { readonly webhook: WebhookToEnqueue } | { readonly errors: FieldError[] };

/** `path`: where the webhook stands in the request, as in webhooks[3]; empty for the request itself. */
export function toEnqueue({ value, payload, faults }: WebhookText, path: string, nowMs: number): Checked {
  // What could not be read has no fields.
  if (value === undefined) return { errors: below(path, faults) };
  const checked = validateWebhook(value);
  if ('errors' in checked || faults.length > 0) {
    const named = new Set(faults.map(({ field }) => field));
    const others = 'errors' in checked ? checked.errors.filter(({ field }) => !named.has(field)) : [];
    return { errors: below(path, [...faults, ...others]) };
  }
  const {
    campaignId,
    messageId,
    channelConfigId,
    userId,
    deliverAt,
    payload: _cut,
    body,
    ...rest
  } = checked.value;
  // A GET or DELETE may have neither.
  const sent = body ?? payload ?? '';
  const errors: FieldError[] = [];
  if (body !== undefined) errors.push(...below(path, bodyFaults(body)));
  if (Buffer.byteLength(sent) > WEBHOOK_BYTES_MAX) {
    errors.push({
      field: joined(path, body === undefined ? 'payload' : 'body'),
      type: 'TOO_LONG',
      detail: 'must not exceed 1 MiB',
    });
  } else if (rest.destination !== undefined)
    errors.push(...below(path, formFaults({ ...rest, body: sent }, rest.destination)));
  if (rest.destination?.contentType === 'application/xml' && body === undefined && !isText(payload)) {
    errors.push({
      field: joined(path, 'payload'),
      type: 'WRONG_TYPE',
      detail: 'must be a text to be sent as XML',
    });
  }
  const deliverAtMs = deliverAt === undefined ? undefined : Date.parse(deliverAt);
  if (deliverAtMs !== undefined && deliverAtMs > nowMs + DELIVER_AT_AHEAD_MAX_MS) {
    errors.push({ field: joined(path, 'deliverAt'), type: 'INVALID_VALUE', detail: 'must be within a year' });
  }
  if (errors.length > 0) return { errors };
  return {
    webhook: {
      ...rest,
      campaignId: String(campaignId),
      messageId: String(messageId),
      body: sent,
      // A time that is past means now.
      deliverAtMs: deliverAtMs !== undefined && deliverAtMs > nowMs ? deliverAtMs : undefined,
      channelConfigId: optionalText(channelConfigId),
      userId: optionalText(userId),
    },
  };
}

/** What is written in another form than it was given is measured in that. */
function formFaults(
  webhook: Pick<BundledWebhook, 'body' | 'contentType'>,
  destination: Destination,
): FieldError[] {
  const { method, contentType, url } = destination;
  const given = webhook.contentType === undefined ? 'payload' : 'body';
  if (method === 'GET') {
    const { query } = requestContent(webhook, destination);
    if (Buffer.byteLength(withQuery(new URL(url), query)) <= URL_BYTES_MAX) return [];
    const detail = `must not make the URL of a GET longer than ${URL_BYTES_MAX} bytes`;
    return [{ field: query === undefined ? 'destination.url' : given, type: 'TOO_LONG', detail }];
  }
  const isForm = contentType === 'application/x-www-form-urlencoded' && given === 'payload';
  // A byte is three at most, as in %20.
  if (!isForm || Buffer.byteLength(webhook.body) * 3 <= WEBHOOK_BYTES_MAX) return [];
  const { body } = requestContent(webhook, destination);
  if (Buffer.byteLength(body) <= WEBHOOK_BYTES_MAX) return [];
  return [{ field: given, type: 'TOO_LONG', detail: 'must not exceed 1 MiB, as a form' }];
}

/** Nothing at all is no fault of the payload's. */
function isText(payload: string | undefined): boolean {
  return payload === undefined || payload.startsWith('"');
}

function optionalText(id: Identifier | undefined): string | undefined {
  return id === undefined ? undefined : String(id);
}

/** Of a body: JSON's escapes can write what no bytes can carry. */
export function bodyFaults(body: string): FieldError[] {
  if (!HALF_PAIR.test(body)) return [];
  const detail = 'must not hold half of a surrogate pair: UTF-8 has no bytes for it';
  return [{ field: 'body', type: 'INVALID_VALUE', detail }];
}

function below(path: string, errors: readonly FieldError[]): FieldError[] {
  return errors.map((error) => ({ ...error, field: joined(path, error.field) }));
}

function joined(path: string, field: string): string {
  if (path === '' || field === '') return path + field;
  return field.startsWith('[') ? `${path}${field}` : `${path}.${field}`;
}

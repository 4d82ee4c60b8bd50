/** From a webhook as a caller writes it to one as the queue takes it, or the fields at fault. Pure. */
import { compileValidator, type FieldError, type Identifier, Webhook } from '@hookfleet/contract';
import type { WebhookToEnqueue } from '@hookfleet/queue';

/** Of one webhook's body as it will be sent. */
export const WEBHOOK_BYTES_MAX = 1024 * 1024;

const DELIVER_AT_AHEAD_MAX_MS = 366 * 86_400_000;

const validateWebhook = compileValidator<Webhook>(Webhook);

export type Checked = { readonly webhook: WebhookToEnqueue } | { readonly errors: FieldError[] };

/** `path`: where the webhook stands in the request, as in webhooks[3]; empty for the request itself. */
export function toEnqueue(value: unknown, path: string, nowMs: number): Checked {
  const checked = validateWebhook(value);
  if ('errors' in checked)
    return { errors: checked.errors.map((error) => ({ ...error, field: joined(path, error.field) })) };
  const { campaignId, messageId, channelConfigId, userId, deliverAt, payload, body, ...rest } = checked.value;
  // A GET or DELETE may have neither.
  const sent = body ?? (payload === undefined ? '' : serialize(payload));
  const errors: FieldError[] = [];
  if (sent === undefined) {
    errors.push({ field: joined(path, 'payload'), type: 'INVALID_VALUE', detail: 'is nested too deeply' });
  } else if (Buffer.byteLength(sent) > WEBHOOK_BYTES_MAX) {
    errors.push({
      field: joined(path, body === undefined ? 'payload' : 'body'),
      type: 'TOO_LONG',
      detail: 'must not exceed 1 MiB',
    });
  }
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
      body: sent ?? '',
      // A time that is past means now.
      deliverAtMs: deliverAtMs !== undefined && deliverAtMs > nowMs ? deliverAtMs : undefined,
      channelConfigId: optionalText(channelConfigId),
      userId: optionalText(userId),
    },
  };
}

/** Nothing at all is no fault of the payload's. */
function isText(payload: unknown): boolean {
  return payload === undefined || typeof payload === 'string';
}

function optionalText(id: Identifier | undefined): string | undefined {
  return id === undefined ? undefined : String(id);
}

/** Undefined where the nesting is beyond what JSON.stringify can follow. */
function serialize(payload: unknown): string | undefined {
  try {
    return JSON.stringify(payload);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function joined(path: string, field: string): string {
  if (path === '' || field === '') return path + field;
  return field.startsWith('[') ? `${path}${field}` : `${path}.${field}`;
}

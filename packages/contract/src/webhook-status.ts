/** What is known of a webhook that was accepted: the answer of GET /v1/webhooks/{id}. */
import { type Static, Type } from 'typebox';
import { CAUSE_CODES } from './attempt-cause.ts';
import { OUTCOME_EVENTS, OUTCOME_REASONS } from './vocabulary.ts';
import { TimingsMs } from './timings.ts';

export const WEBHOOK_STATES = [
  'scheduled',
  'pending',
  'retrying',
  'delivered',
  'failed',
  'cancelled',
] as const;

export const AttemptStatus = Type.Object({
  attempt: Type.Integer(),
  event: Type.Enum([...OUTCOME_EVENTS]),
  reason: Type.Optional(Type.Enum([...OUTCOME_REASONS])),
  cause: Type.Optional(
    Type.Enum([...CAUSE_CODES], {
      description: 'Without an answer: what exactly went wrong. Of reason auth, with the token endpoint.',
    }),
  ),
  detail: Type.Optional(Type.String({ description: 'The cause in words.' })),
  statusCode: Type.Optional(Type.Integer()),
  durationMs: Type.Number(),
  occurredAt: Type.String({ format: 'date-time' }),
  workerId: Type.String(),
  final: Type.Boolean(),
  responseBody: Type.Optional(Type.String()),
  timingsMs: TimingsMs,
});

export const WebhookStatus = Type.Object({
  id: Type.String(),
  campaignId: Type.String(),
  messageId: Type.String(),
  channelConfigId: Type.Optional(Type.String()),
  state: Type.Enum([...WEBHOOK_STATES]),
  acceptedAt: Type.String({ format: 'date-time' }),
  deliverAt: Type.Optional(Type.String({ format: 'date-time' })),
  nextAttemptAt: Type.Optional(Type.String({ format: 'date-time' })),
  batchId: Type.Optional(
    Type.String({ description: "The batch that it was sent in: its attempts are the batch's." }),
  ),
  recipients: Type.Optional(Type.Integer({ description: 'Of a batch.' })),
  attempts: Type.Array(AttemptStatus),
});

export type AttemptStatus = Static<typeof AttemptStatus>;
export type WebhookStatus = Static<typeof WebhookStatus>;

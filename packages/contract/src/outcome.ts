/**
 * What happened in one attempt, as the event that is counted. Every attempt yields exactly one.
 * A bounced webhook (5xx, or no response) is tried again; an error (4xx, 3xx, blocked) mostly is not.
 */
import { type Static, Type } from 'typebox';
import { PositionRange } from './webhook-id.ts';
import { EventProperties } from './event-properties.ts';
import { OUTCOME_EVENTS, OUTCOME_REASONS } from './vocabulary.ts';

/** Of a response that was no 2xx, so many bytes are kept, counted after decompression. */
export const RESPONSE_EXCERPT_BYTES_MAX = 1_024;

export const Outcome = Type.Object(
  {
    eventId: Type.String({
      description: 'One per webhook and attempt: an outcome that arrives twice has the same.',
    }),
    event: Type.Enum([...OUTCOME_EVENTS]),
    reason: Type.Optional(Type.Enum([...OUTCOME_REASONS], { description: 'Absent when delivered.' })),
    webhookId: Type.String(),
    campaignId: Type.String(),
    messageId: Type.String(),
    channelConfigId: Type.Optional(Type.String({ description: 'Absent for an inline destination.' })),
    attempt: Type.Integer({ minimum: 1 }),
    final: Type.Boolean({ description: 'No attempt follows.' }),
    statusCode: Type.Optional(Type.Integer({ description: 'Absent without a response.' })),
    durationMs: Type.Number({ minimum: 0 }),
    recipients: Type.Integer({ minimum: 1, description: "1, or a batch's size." }),
    members: Type.Optional(
      Type.Array(PositionRange, {
        minItems: 1,
        description: 'Of a batch: the positions of the webhooks that it holds, one for each recipient.',
      }),
    ),
    occurredAt: Type.String({ format: 'date-time' }),
    workerId: Type.String(),
    responseBody: Type.Optional(
      Type.String({
        description:
          'The first 1 KiB of a response that was no 2xx; of reason auth, what became of the token.',
      }),
    ),
    properties: Type.Optional(EventProperties),
  },
  { additionalProperties: false },
);

export type OutcomeEvent = (typeof OUTCOME_EVENTS)[number];
export type OutcomeReason = (typeof OUTCOME_REASONS)[number];
export type Outcome = Static<typeof Outcome>;

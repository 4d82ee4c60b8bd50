/**
 * A custom event: what a customer's own system reports for a campaign, as POST /v1/events takes it. What its
 * `properties` may be says the type that was activated for it (event-type.ts).
 */
import { type Static, Type } from 'typebox';
import { Identifier } from './identifiers.ts';

export const BULK_EVENTS_MAX = 1_000;

const ExternalReference = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\p{C}\\p{Z}]+$',
  errorDetail: 'must not hold blanks or control characters',
});

export const CustomEvent = Type.Object(
  {
    campaignId: Type.Optional(Identifier),
    campaignExternalReferenceId: Type.Optional(
      Type.Union([ExternalReference, Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })], {
        description:
          'Names the campaign where campaignId is absent. An event with both tells which campaign the reference stands for from then on, also for later events of the same call.',
      }),
    ),
    messageId: Type.Optional(Identifier),
    channelConfigId: Type.Optional(Identifier),
    channelConfigExternalReferenceId: Type.Optional(
      Type.Union([ExternalReference, Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })], {
        description:
          'Names the channel with this externalReferenceId where channelConfigId is absent; channelConfigId counts where both are there.',
      }),
    ),
    event: Type.String({
      minLength: 1,
      maxLength: 100,
      description: 'Activated by PUT /v1/event-types/{name}.',
    }),
    properties: Type.Optional(Type.Object({}, { additionalProperties: true })),
    id: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        pattern: '^\\P{C}+$',
        errorDetail: 'must not hold control characters',
        description:
          'Within a campaign and an event, a second one with the same id is not counted, for a week unless HOOKFLEET_RETENTION_EVENT_IDS says otherwise.',
      }),
    ),
    occurredAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description:
          'Now when absent; at most 24 hours ahead. An event from before HOOKFLEET_RETENTION_DAYS counts in the totals and in no series.',
      }),
    ),
  },
  { additionalProperties: false },
);

export type CustomEvent = Static<typeof CustomEvent>;

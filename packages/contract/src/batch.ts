/**
 * Batches: where a channel asks for it, the webhooks of one campaign message travel many in one request. Each webhook
 * keeps its id and its message in the counters; the batch has an id of its own, its attempts, and one outcome for all.
 */
import { type Static, Type } from 'typebox';

export const BATCH_SIZE_MIN = 50;
export const BATCH_SIZE_MAX = 1_000;

/** How long the first of a batch waits for others, where the channel doesn't say. */
export const BATCH_WAIT_DEFAULT_MS = 5_000;
const HOUR_MS = 3_600_000;

export const Batching = Type.Object(
  {
    size: Type.Integer({
      minimum: BATCH_SIZE_MIN,
      maximum: BATCH_SIZE_MAX,
      description: 'A batch leaves when it holds so many webhooks, or about a mebibyte.',
    }),
    maxWaitMs: Type.Optional(
      Type.Integer({
        minimum: 100,
        maximum: HOUR_MS,
        description:
          'A batch that is not full leaves when its first webhook has waited so long; 5,000 when absent.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Webhooks of one campaign and message are sent many in one request. See BatchBody.',
  },
);

/** A recipient's part of a batch. */
const BatchMessage = Type.Object({
  id: Type.String({ description: "The webhook's id, as it was answered: what a receiver drops repeats by." }),
  userId: Type.Optional(Type.String()),
  payload: Type.Optional(Type.Unknown({ description: 'As it was given.' })),
  body: Type.Optional(Type.String({ description: 'Of a webhook that was given body and contentType.' })),
  contentType: Type.Optional(Type.String()),
});

/** The body of a batch's request, as application/json. */
export const BatchBody = Type.Object({
  batchId: Type.String({ description: 'The same as the webhook-id header.' }),
  campaignId: Type.String(),
  messageId: Type.String(),
  channelConfigId: Type.String(),
  messages: Type.Array(BatchMessage, { minItems: 1, maxItems: BATCH_SIZE_MAX }),
});

export type Batching = Static<typeof Batching>;
export type BatchBody = Static<typeof BatchBody>;

/**
 * A channel: a destination that is stored under an id and used by many campaigns.
 * A channel is written whole and read back without its secrets.
 */
import { type Static, Type } from 'typebox';
import { Batching } from './batch.ts';
import { Destination } from './destination.ts';

export const RateLimit = Type.Object(
  {
    limit: Type.Integer({
      minimum: 1,
      maximum: 100_000,
      description:
        'Recipients whose webhooks are sent per unit of time, by all workers: a batch counts with each of its own.',
    }),
    per: Type.Enum(['second', 'minute']),
    burst: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100_000,
        description: "So many may go at once after a pause; a second's worth when absent.",
      }),
    ),
  },
  { additionalProperties: false },
);

export const Channel = Type.Object(
  {
    ...Destination.properties,
    rateLimit: Type.Optional(RateLimit),
    concurrencyLimit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 10_000,
        description: 'Requests in flight at most, over all workers: a batch is one.',
      }),
    ),
    batch: Type.Optional(Batching),
    externalReferenceId: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        pattern: '^[^\\p{C}\\p{Z}]+$',
        errorDetail: 'must not hold blanks or control characters',
        description: 'The id that another system knows the channel by.',
      }),
    ),
  },
  {
    additionalProperties: false,
    allOf: [
      {
        not: { required: ['batch', 'method'], properties: { method: { const: 'GET' } } },
        errorField: 'batch',
        errorDetail: 'a batch is a body, and GET sends none',
      },
      {
        not: {
          required: ['batch', 'contentType'],
          properties: { contentType: { not: { const: 'application/json' } } },
        },
        errorField: 'batch',
        errorDetail: 'a batch is sent as application/json',
      },
    ],
  },
);

export type RateLimit = Static<typeof RateLimit>;
export type Channel = Static<typeof Channel>;

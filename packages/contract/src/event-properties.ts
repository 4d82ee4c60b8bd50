/** What a channel adds to each of its events, beside what happened: a region, a team, an experiment. */
import { type Static, Type } from 'typebox';

// They travel with every outcome: 20 short ones are at most 4 KiB of it.
export const EventProperties = Type.Record(
  Type.String({ pattern: '^(?!__proto__$)[^\\p{C}\\p{Z}]{1,64}$' }),
  Type.Unsafe<string | number | boolean>({
    type: ['string', 'number', 'boolean'],
    maxLength: 128,
    // What is beyond would reach events as another number.
    minimum: -Number.MAX_SAFE_INTEGER,
    maximum: Number.MAX_SAFE_INTEGER,
  }),
  {
    maxProperties: 20,
    additionalProperties: false,
    namesDetail: 'must be 1 to 64 characters without blanks and control characters',
    description: 'Added to each outcome event as its properties: up to 20 texts, numbers or booleans.',
  },
);

export type EventProperties = Static<typeof EventProperties>;

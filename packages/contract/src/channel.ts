/**
 * A channel: a destination that is stored under an id and used by many campaigns.
 * A channel is written whole and read back without its secrets.
 */
import { type Static, Type } from 'typebox';
import { Destination } from './destination.ts';

export const Channel = Type.Object(
  {
    ...Destination.properties,
    externalReferenceId: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        pattern: '^[^\\p{C}\\p{Z}]+$',
        description: 'The id that another system knows the channel by.',
      }),
    ),
  },
  { additionalProperties: false },
);

export type Channel = Static<typeof Channel>;

/** An error as the APIs answer it: RFC 9457 problem details, with one entry for each field at fault. */
import { type Static, Type } from 'typebox';

export const FieldError = Type.Object({
  field: Type.String({ description: 'Path of the field, as in webhooks[3].destination.url.' }),
  type: Type.String({
    description: 'REQUIRED, WRONG_TYPE, INVALID_VALUE, UNKNOWN_FIELD, UNKNOWN_VALUE, TOO_LONG, …',
  }),
  detail: Type.String(),
});

export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(FieldError)),
});

export type FieldError = Static<typeof FieldError>;
export type Problem = Static<typeof Problem>;

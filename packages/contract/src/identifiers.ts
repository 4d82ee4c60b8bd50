/**
 * The ids that upstream systems choose: campaigns, messages, channels, users.
 * They end in Redis keys, URLs, metric labels and log lines, so control characters, unpaired surrogates and
 * white space are refused. So are "." and "..": in a URL they are steps, encoded or not (URL Standard), and whatever bears
 * such a name can't be addressed. Numbers are taken for what they print as: the seed writes channel 31 without quotes.
 */
import { type Static, Type } from 'typebox';

export const IDENTIFIER_LENGTH_MAX = 128;

export const Identifier = Type.Union(
  [
    // \p{C}: control, format, surrogate and unassigned code points; \p{Z}: separators.
    Type.String({
      minLength: 1,
      maxLength: IDENTIFIER_LENGTH_MAX,
      pattern: '^(?!\\.{1,2}$)[^\\p{C}\\p{Z}]+$',
      errorDetail: 'must hold no blanks or control characters, and be neither . nor ..',
    }),
    Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  ],
  {
    description:
      'An id chosen by the upstream system: 1 to 128 printable characters without spaces, but for . and .., or a whole number.',
  },
);

export type Identifier = Static<typeof Identifier>;

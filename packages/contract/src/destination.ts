/**
 * Where and how a webhook is sent: the part that a channel and an inline destination have in common.
 * Schemas and types only; what the fields do is the worker's (deliver.ts, retry-policy.ts, sign.ts).
 */
import { type Static, Type } from 'typebox';

const DAY_MS = 86_400_000;

/** Attempts that a retry policy may ask for beyond the first. */
export const RETRIES_MAX = 50;

/** The longest time that one attempt may be given by a channel. Workers may hold it shorter. */
export const ATTEMPT_TIMEOUT_MAX_MS = 60_000;

// Headers that belong to the connection or to us: letting a caller set them would allow request smuggling
// (RFC 9112, section 11.2) or a forged signature.
const RESERVED_HEADERS =
  'connection|content-length|expect|host|http2-settings|keep-alive|proxy-[^:]*|te|trailer|transfer-encoding|upgrade|webhook-id|webhook-signature|webhook-timestamp';

const HEADER_NAME = `^(?!(?:${caseInsensitive(RESERVED_HEADERS)})$)[!#$%&'*+.^_\`|~0-9A-Za-z-]{1,128}$`;
const HEADER_VALUE = '^[\\t\\u0020-\\u007e\\u0080-\\u00ff]*$';

/** Field names are RFC 9110 tokens; values hold no CR, LF or NUL, so nothing can be injected behind them. */
export const Headers = Type.Record(
  Type.String({ pattern: HEADER_NAME }),
  Type.String({ maxLength: 4096, pattern: HEADER_VALUE }),
  { maxProperties: 50, additionalProperties: false, description: 'Headers added to each request.' },
);

export const Authentication = Type.Union(
  [
    Type.Object(
      {
        type: Type.Literal('basic'),
        username: Type.String({ maxLength: 256, pattern: '^[^:\\p{Cc}]*$' }),
        password: Type.String({ maxLength: 256, pattern: '^\\P{Cc}*$' }),
      },
      { additionalProperties: false },
    ),
    Type.Object(
      {
        type: Type.Literal('header'),
        name: Type.String({ pattern: HEADER_NAME }),
        value: Type.String({ minLength: 1, maxLength: 4096, pattern: HEADER_VALUE }),
      },
      { additionalProperties: false },
    ),
    Type.Object(
      {
        type: Type.Literal('bearer'),
        token: Type.String({ minLength: 1, maxLength: 4096, pattern: '^[\\u0021-\\u007e]+$' }),
      },
      { additionalProperties: false },
    ),
  ],
  { description: 'Basic and bearer are sent as the Authorization header, header as the one that it names.' },
);

export const RetryPolicy = Type.Object(
  {
    delaysMs: Type.Array(Type.Integer({ minimum: 0, maximum: 7 * DAY_MS }), {
      maxItems: RETRIES_MAX,
      description: 'Wait before the second, third, … attempt, in milliseconds. An empty list: one attempt.',
    }),
    jitter: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1,
        description: 'Each delay is spread by up to this share, both ways.',
      }),
    ),
    totalMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 30 * DAY_MS,
        description: 'No attempt begins later than this after the webhook was due.',
      }),
    ),
  },
  { additionalProperties: false },
);

export const Destination = Type.Object(
  {
    url: Type.String({
      maxLength: 2048,
      format: 'webhook-url',
      description: 'http or https, without a fragment.',
    }),
    method: Type.Optional(Type.Enum(['POST', 'PUT', 'PATCH'], { description: 'POST when absent.' })),
    headers: Type.Optional(Headers),
    auth: Type.Optional(Authentication),
    signingSecrets: Type.Optional(
      Type.Array(Type.String({ format: 'signing-secret' }), {
        minItems: 1,
        maxItems: 4,
        description:
          'Standard Webhooks secrets (whsec_ and base64); each signs, so that a secret can be rotated.',
      }),
    ),
    timeoutMs: Type.Optional(
      Type.Integer({
        minimum: 100,
        maximum: ATTEMPT_TIMEOUT_MAX_MS,
        description: 'For a whole attempt; 30,000 when absent.',
      }),
    ),
    retry: Type.Optional(RetryPolicy),
  },
  { additionalProperties: false },
);

export type Authentication = Static<typeof Authentication>;
export type RetryPolicy = Static<typeof RetryPolicy>;
export type Destination = Static<typeof Destination>;

/** JSON Schema patterns have no flags: spells each letter in both cases. */
function caseInsensitive(pattern: string): string {
  return pattern.replace(/(?<!\[\^)[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}

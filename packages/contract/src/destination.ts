/**
 * Where and how a webhook is sent: the part that a channel and an inline destination have in common.
 * Schemas and types only; what the fields do is the worker's (request-webhook.ts, deliver.ts, retry-policy.ts, sign.ts).
 */
import { type Static, Type } from 'typebox';
import { Authentication } from './authentication.ts';
import { Tls } from './client-certificate.ts';
import { EventProperties } from './event-properties.ts';
import { Headers } from './headers.ts';
import { SigningSecrets } from './signing-secrets.ts';

const DAY_MS = 86_400_000;

/** Attempts that a retry policy may ask for beyond the first. */
export const RETRIES_MAX = 50;

/** The longest time that one attempt may be given by a channel. Workers may hold it shorter. */
export const ATTEMPT_TIMEOUT_MAX_MS = 60_000;

export const METHODS = ['POST', 'PUT', 'PATCH', 'GET', 'DELETE'] as const;

/** What a payload can be sent as. */
export const PAYLOAD_CONTENT_TYPES = [
  'application/json',
  'application/x-www-form-urlencoded',
  'text/plain',
  'application/xml',
] as const;

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
      unmasked: true,
      description:
        'http or https, without a fragment. User and password in it are sent as basic authentication.',
    }),
    method: Type.Optional(
      Type.Enum([...METHODS], {
        description:
          "POST when absent. GET sends no body: the payload's members are added to the URL's query as a form's are, and a channel's body as the pair body; the signature is that of an empty body. DELETE sends its body as POST does. An inline destination with GET or DELETE needs neither payload nor body, and one with GET takes no body.",
      }),
    ),
    contentType: Type.Optional(
      Type.Enum([...PAYLOAD_CONTENT_TYPES], {
        description:
          "What a webhook's payload is sent as; application/json when absent. A body has a contentType of its own and is sent as it is. application/x-www-form-urlencoded: an object's members as pairs, one for each item of a list, null as an empty value, objects as JSON; what is no object as the pair payload. text/plain and application/xml: a text as it is. What is no text is JSON: sent as text/plain there, and as application/json where XML was wanted, for there is no XML of it (an inline destination's is refused).",
      }),
    ),
    headers: Type.Optional(Headers),
    auth: Type.Optional(Authentication),
    tls: Type.Optional(Tls),
    signingSecrets: Type.Optional(SigningSecrets),
    eventProperties: Type.Optional(EventProperties),
    timeoutMs: Type.Optional(
      Type.Integer({
        minimum: 100,
        maximum: ATTEMPT_TIMEOUT_MAX_MS,
        description: 'For a whole attempt; 30,000 when absent.',
      }),
    ),
    retry: Type.Optional(RetryPolicy),
    traceContext: Type.Optional(
      Type.Boolean({
        description:
          "Send the W3C headers traceparent and tracestate with each attempt, where the webhook's trace is sampled: the destination's spans then stand in its caller's trace. False when absent.",
      }),
    ),
  },
  { additionalProperties: false },
);

export type RetryPolicy = Static<typeof RetryPolicy>;
export type Destination = Static<typeof Destination>;

// An earlier version took what they refuse.
const NOT_OF_STORED = new Set(['unmasked', 'distinctNames']);

/** As it may stand in Redis: one that was accepted before *** was refused as a secret is delivered as it is. */
export const StoredDestination = Type.Unsafe<Destination>(
  JSON.parse(JSON.stringify(Destination), (keyword, value: unknown) =>
    NOT_OF_STORED.has(keyword) ? undefined : value,
  ) as object,
);

/**
 * How a request proves who sends it. What the worker does with each: request-webhook.ts and oauth-tokens.ts; a
 * client certificate stands beside it (client-certificate.ts), for an API may ask for both.
 */
import { type Static, Type } from 'typebox';
import { HEADER_NAME, HEADER_NAME_DETAIL, HEADER_VALUE, HEADER_VALUE_DETAIL } from './headers.ts';

const Basic = Type.Object(
  {
    type: Type.Literal('basic'),
    username: Type.String({
      maxLength: 256,
      pattern: '^[^:\\p{Cc}]*$',
      errorDetail: 'must not hold a colon or control characters',
    }),
    password: Type.String({
      maxLength: 256,
      pattern: '^\\P{Cc}*$',
      errorDetail: 'must not hold control characters',
      unmasked: true,
    }),
  },
  { additionalProperties: false },
);

const Header = Type.Object(
  {
    type: Type.Literal('header'),
    name: Type.String({ pattern: HEADER_NAME, errorDetail: HEADER_NAME_DETAIL }),
    value: Type.String({
      minLength: 1,
      maxLength: 4096,
      pattern: HEADER_VALUE,
      errorDetail: HEADER_VALUE_DETAIL,
      unmasked: true,
    }),
  },
  { additionalProperties: false },
);

const Bearer = Type.Object(
  {
    type: Type.Literal('bearer'),
    token: Type.String({
      minLength: 1,
      maxLength: 4096,
      pattern: '^[\\u0021-\\u007e]+$',
      errorDetail: 'must hold printable ASCII characters alone, without blanks',
      unmasked: true,
    }),
  },
  { additionalProperties: false },
);

const OAuth2 = Type.Object(
  {
    type: Type.Literal('oauth2'),
    tokenUrl: Type.String({
      maxLength: 2048,
      format: 'token-url',
      unmasked: true,
      description: 'http or https, without user, password or fragment. The egress guard holds for it too.',
    }),
    clientId: Type.String({
      minLength: 1,
      maxLength: 512,
      pattern: '^[\\u0020-\\u007e]+$',
      errorDetail: 'must hold printable ASCII characters alone',
    }),
    clientSecret: Type.String({
      minLength: 1,
      maxLength: 1024,
      pattern: '^[\\u0020-\\u007e]+$',
      errorDetail: 'must hold printable ASCII characters alone',
      unmasked: true,
    }),
    scope: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1024,
        pattern: '^[\\u0020-\\u007e]+$',
        errorDetail: 'must hold printable ASCII characters alone',
      }),
    ),
    audience: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1024,
        pattern: '^[\\u0020-\\u007e]+$',
        errorDetail: 'must hold printable ASCII characters alone',
      }),
    ),
    clientAuthentication: Type.Optional(
      Type.Enum(['basic', 'body'], {
        description:
          'How clientId and clientSecret reach the token endpoint: as its Authorization header (when absent), or in the form.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Client credentials (RFC 6749, 4.4). A worker keeps a token until shortly before it expires, and gets a new one, once an attempt, where an older one is answered with 401. Without a token the attempt ends as webhook.bounced with reason auth, and is tried again.',
  },
);

type AnyAuthentication =
  | Static<typeof Basic>
  | Static<typeof Header>
  | Static<typeof Bearer>
  | Static<typeof OAuth2>;

/** By its type, so that a fault is told of the kind that was meant, and of no other. */
export const Authentication = Type.Unsafe<AnyAuthentication>({
  type: 'object',
  discriminator: { propertyName: 'type' },
  required: ['type'],
  oneOf: [Basic, Header, Bearer, OAuth2],
  description:
    'A secret that reads *** is refused: that is what answers show in its place. Basic, bearer and oauth2 are sent as the Authorization header, header as the one that it names. User and password in the URL are sent as basic where auth sets no Authorization.',
});

export type Authentication = Static<typeof Authentication>;
export type OAuth2 = Static<typeof OAuth2>;

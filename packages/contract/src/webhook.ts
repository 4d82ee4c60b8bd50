/**
 * A webhook as an upstream system asks for it: the body of POST /v1/webhooks and an item of a bulk call.
 * Exactly one of `channelConfigId` and `destination`, exactly one of `payload` and `body`; but a GET or DELETE of an
 * inline destination may have neither.
 */
import { type Static, Type } from 'typebox';
import { Destination } from './destination.ts';
import { Identifier } from './identifiers.ts';

export const BULK_WEBHOOKS_MAX = 5_000;

/** Arrays and objects within each other in a payload: as many as receivers' parsers take that have a limit. */
export const PAYLOAD_DEPTH_MAX = 64;

export const Webhook = Type.Object(
  {
    campaignId: Identifier,
    messageId: Identifier,
    channelConfigId: Type.Optional(Identifier),
    destination: Type.Optional(Destination),
    payload: Type.Optional(
      Type.Unknown({
        description: `Any JSON, at most ${PAYLOAD_DEPTH_MAX} levels deep. Its bytes are sent as they are written, as application/json; or in the form that the destination's contentType or method asks for, numbers with all of their digits.`,
      }),
    ),
    body: Type.Optional(
      Type.String({ maxLength: 1_048_576, description: 'Sent as it is, with contentType.' }),
    ),
    contentType: Type.Optional(
      Type.String({
        maxLength: 128,
        pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:;[\\t\\u0020-\\u007e]*)?$",
        errorDetail: 'must be a media type, as in text/plain; charset=utf-8',
      }),
    ),
    idempotencyKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        pattern: '^\\P{C}+$',
        errorDetail: 'must not hold control characters',
        description:
          "Within a campaign, a second webhook with the same key is not enqueued; the answer holds the first one's id.",
      }),
    ),
    deliverAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'Not sent before this time; at most a year ahead.' }),
    ),
    userId: Type.Optional(Identifier),
  },
  {
    additionalProperties: false,
    allOf: [
      {
        oneOf: [{ required: ['channelConfigId'] }, { required: ['destination'] }],
        errorField: 'channelConfigId',
        errorDetail: 'exactly one of channelConfigId and destination is needed',
      },
      {
        if: inlineWith(['GET', 'DELETE']),
        // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word.
        then: {
          not: { required: ['payload', 'body'] },
          errorField: 'payload',
          errorDetail: 'not both of payload and body',
        },
        else: {
          oneOf: [{ required: ['payload'] }, { required: ['body'] }],
          errorField: 'payload',
          errorDetail: 'exactly one of payload and body is needed',
        },
      },
      {
        if: inlineWith(['GET']),
        // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word.
        then: {
          not: { required: ['body'] },
          errorField: 'body',
          errorDetail: 'is not sent with GET: write it into the URL, or as payload, whose members are',
        },
      },
    ],
    dependentRequired: { body: ['contentType'], contentType: ['body'] },
  },
);

export type Webhook = Static<typeof Webhook>;

/** Holds for webhooks whose own destination has one of the methods. A channel's method isn't known here. */
function inlineWith(methods: readonly string[]) {
  return {
    type: 'object',
    required: ['destination'],
    properties: {
      destination: { type: 'object', required: ['method'], properties: { method: { enum: methods } } },
    },
  };
}

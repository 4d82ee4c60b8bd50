/**
 * A test of a channel: one attempt that is made for a person to look at, and counted nowhere. What is asked for, what
 * travels to the worker that makes it, and what comes back.
 */
import { type Static, Type } from 'typebox';
import { CAUSE_CODES } from './attempt-cause.ts';
import { OUTCOME_EVENTS, OUTCOME_REASONS } from './vocabulary.ts';
import { TimingsMs } from './timings.ts';
import { Webhook } from './webhook.ts';

const { payload, body, contentType } = Webhook.properties;

export const ChannelTestRequest = Type.Object(
  { payload, body, contentType },
  {
    additionalProperties: false,
    not: { required: ['payload', 'body'] },
    errorField: 'payload',
    errorDetail: 'not both of payload and body',
    dependentRequired: { body: ['contentType'], contentType: ['body'] },
    description:
      'What to send; where neither payload nor body is given, the payload {"test": true, "channelConfigId": …, "message": "A test by hookfleet: nothing is counted."}.',
  },
);

/** The data of a test's job in the webhooks queue. */
export const ChannelTest = Type.Object({
  id: Type.String(),
  channelConfigId: Type.String(),
  body: Type.String(),
  contentType: Type.Optional(Type.String()),
});

export const ChannelTestResult = Type.Object({
  channelConfigId: Type.String(),
  workerId: Type.String(),
  occurredAt: Type.String({ format: 'date-time' }),
  request: Type.Object(
    {
      method: Type.String(),
      url: Type.String(),
      headers: Type.Record(Type.String(), Type.String()),
      body: Type.String({ description: 'Its first 64 KiB.' }),
    },
    { description: 'As it was sent; secrets are masked.' },
  ),
  response: Type.Optional(
    Type.Object({
      statusCode: Type.Integer(),
      headers: Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())])),
      body: Type.Optional(Type.String({ description: 'Its first 1 KiB, decompressed.' })),
    }),
  ),
  timingsMs: TimingsMs,
  outcome: Type.Object(
    {
      event: Type.Enum([...OUTCOME_EVENTS]),
      reason: Type.Optional(Type.Enum([...OUTCOME_REASONS])),
      retriable: Type.Boolean({ description: 'Another attempt would follow, if the retry policy has one.' }),
      cause: Type.Optional(
        Type.Enum([...CAUSE_CODES], {
          description: 'Without an answer: what exactly went wrong. Of reason auth, with the token endpoint.',
        }),
      ),
      detail: Type.Optional(
        Type.String({ description: 'The cause in words; of reason auth, what became of the token.' }),
      ),
    },
    { description: 'What the attempt would have been counted as.' },
  ),
});

export type ChannelTestRequest = Static<typeof ChannelTestRequest>;
export type ChannelTest = Static<typeof ChannelTest>;
export type ChannelTestResult = Static<typeof ChannelTestResult>;

/**
 * The data of a job in the results queue: what the aggregator is to count. Written by workers (outcomes) and
 * producers (acceptances, custom events), applied exactly once however often a job arrives.
 */
import { type Static, Type } from 'typebox';
import { Outcome } from './outcome.ts';
import { TRACE_LINKS_MAX, TraceContext } from './trace-context.ts';
import { PositionRange } from './webhook-id.ts';

export const RESULTS_VERSION = 1;

/**
 * Of a job that holds custom events. An aggregator of before they came doesn't know it and sets the job aside as
 * failed, for all to see; under the first version it would have left the events out without a word. Jobs without
 * events keep the first, so that webhooks are counted by both while a fleet is upgraded.
 */
export const RESULTS_VERSION_WITH_EVENTS = 2;

/** The webhooks at these positions were accepted. See webhook-id.ts for positions. */
export const Acceptance = Type.Object({
  campaignId: Type.String(),
  ...PositionRange.properties,
  acceptedAt: Type.Integer(),
  deliverAt: Type.Optional(Type.Integer({ description: 'Milliseconds since 1970. Absent: at once.' })),
});

/** The webhooks at these positions are not sent: their campaign was cancelled. */
export const Cancellation = Type.Object({
  campaignId: Type.String(),
  ...PositionRange.properties,
});

/** A custom event, checked: what is left of it is what is counted. */
export const ReportedEvent = Type.Object(
  {
    campaignId: Type.String(),
    event: Type.String(),
    id: Type.Optional(Type.String({ description: 'Chosen by whoever reported it.' })),
    mark: Type.Optional(
      Type.Object(
        { run: Type.String(), position: Type.Integer({ minimum: 0 }) },
        {
          description:
            "Without an id: the event's position among those of a producer, dense as webhooks' are.",
        },
      ),
    ),
    messageId: Type.Optional(Type.String()),
    channelConfigId: Type.Optional(Type.String()),
    occurredAt: Type.Integer({ description: 'Milliseconds since 1970.' }),
    numbers: Type.Optional(
      Type.Record(Type.String(), Type.Number(), { description: 'Its properties that are summed.' }),
    ),
  },
  // One that can't be recognized when it comes again would be counted again.
  { anyOf: [{ required: ['id'] }, { required: ['mark'] }] },
);

export const Results = Type.Object({
  version: Type.Enum([RESULTS_VERSION, RESULTS_VERSION_WITH_EVENTS]),
  acceptances: Type.Optional(Type.Array(Acceptance)),
  outcomes: Type.Optional(Type.Array(Outcome)),
  cancellations: Type.Optional(Type.Array(Cancellation)),
  events: Type.Optional(Type.Array(ReportedEvent)),
  traces: Type.Optional(
    Type.Array(TraceContext, {
      maxItems: TRACE_LINKS_MAX,
      description: 'The spans that outcomes and events came from, where their traces are sampled.',
    }),
  ),
});

export type Acceptance = Static<typeof Acceptance>;
export type Cancellation = Static<typeof Cancellation>;
export type ReportedEvent = Static<typeof ReportedEvent>;
export type Results = Static<typeof Results>;

/** A campaign's totals as GET /v1/campaigns/{id} answers them. Durations in milliseconds. */
import { type Static, Type } from 'typebox';

const Count = Type.Integer({ minimum: 0 });

/** Of a numeric property of a custom event, to six decimals: what is nearer to 0 than 0.0000005 counts as 0. */
const Numbers = Type.Object({
  count: Count,
  sum: Type.Number(),
  average: Type.Number(),
  min: Type.Number(),
  max: Type.Number(),
});

export const CampaignTotals = Type.Object({
  campaignId: Type.String(),
  events: Type.Record(Type.String(), Count, {
    description: 'One per response or attempt, and per custom event.',
  }),
  reasons: Type.Record(Type.String(), Count),
  messages: Type.Object(
    { accepted: Count, delivered: Count, failed: Count, cancelled: Count, pending: Type.Integer() },
    { description: "Recipients' messages, each counted once." },
  ),
  latency: Type.Object(
    { p50: Type.Number(), p95: Type.Number(), p99: Type.Number() },
    { description: "Of the attempts: from the request's start to the end of its response." },
  ),
  properties: Type.Optional(
    Type.Record(Type.String(), Type.Record(Type.String(), Numbers), {
      description:
        "Custom events' numeric properties, by event and property, to six decimals: what is nearer to 0 than 0.0000005 counts as 0. Absent where there are none.",
    }),
  ),
  firstEventAt: Type.Optional(Type.String({ format: 'date-time' })),
  lastEventAt: Type.Optional(Type.String({ format: 'date-time' })),
});

export type CampaignTotals = Static<typeof CampaignTotals>;

/** A campaign's totals as GET /v1/campaigns/{id} answers them. Durations in milliseconds. */
import { type Static, Type } from 'typebox';

const Count = Type.Integer({ minimum: 0 });

export const CampaignTotals = Type.Object({
  campaignId: Type.String(),
  events: Type.Record(Type.String(), Count, { description: 'One per response or attempt.' }),
  reasons: Type.Record(Type.String(), Count),
  messages: Type.Object(
    { accepted: Count, delivered: Count, failed: Count, cancelled: Count, pending: Type.Integer() },
    { description: "Recipients' messages, each counted once." },
  ),
  latency: Type.Object(
    { p50: Type.Number(), p95: Type.Number(), p99: Type.Number() },
    { description: "Of the attempts: from the request's start to the end of its response." },
  ),
  firstEventAt: Type.Optional(Type.String({ format: 'date-time' })),
  lastEventAt: Type.Optional(Type.String({ format: 'date-time' })),
});

export type CampaignTotals = Static<typeof CampaignTotals>;

/** A campaign's totals as GET /v1/campaigns/{id} answers them. Durations in milliseconds. */
import { type Static, Type } from 'typebox';

const Count = Type.Integer({ minimum: 0 });

export const CAMPAIGN_STATES = [
  'scheduled',
  'running',
  'heldBack',
  'paused',
  'completed',
  'cancelled',
  'expired',
] as const;

/** What stops webhooks of a campaign: a channel's circuit, or that of an inline destination's origin. */
const Hold = Type.Object({
  channelConfigId: Type.Optional(Type.String()),
  origin: Type.Optional(Type.String({ description: 'Of inline destinations.' })),
  state: Type.Enum(['open', 'paused'], {
    description: 'open: the destination fails, and is probed at `until`. paused: until it is resumed.',
  }),
  why: Type.String({ description: "The outcome's reason, or operator." }),
  since: Type.String({ format: 'date-time' }),
  until: Type.Optional(Type.String({ format: 'date-time', description: 'Of the next probe.' })),
});

export const CampaignStatus = Type.Object(
  {
    state: Type.Enum([...CAMPAIGN_STATES], {
      description:
        'scheduled: the first webhook is due at `until`. running: webhooks are sent, or wait for their turn. heldBack: webhooks wait for what `heldBy` names; others may be sent. paused: by an operator, until the campaign is resumed. completed: every accepted message has ended. cancelled: by an operator. expired: its deadline has passed.',
    }),
    since: Type.Optional(Type.String({ format: 'date-time', description: 'Of paused, cancelled, expired.' })),
    until: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'Of scheduled; of heldBack if every hold ends by itself: the next probe.',
      }),
    ),
    heldBy: Type.Optional(
      Type.Array(Hold, { description: 'Ten at most, the one that is paused longest first.' }),
    ),
  },
  { description: 'Where the campaign stands. Absent in answers of earlier versions.' },
);

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
  status: Type.Optional(CampaignStatus),
  firstEventAt: Type.Optional(Type.String({ format: 'date-time' })),
  lastEventAt: Type.Optional(Type.String({ format: 'date-time' })),
});

export type CampaignState = (typeof CAMPAIGN_STATES)[number];
export type CampaignStatus = Static<typeof CampaignStatus>;
export type CampaignTotals = Static<typeof CampaignTotals>;

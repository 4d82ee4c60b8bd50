/**
 * The data of a job in the webhooks queue: the webhooks, one or more, of one campaign and destination that travel
 * together. A webhook that is to be tried again travels on as a bundle of one, under the id it was given at first.
 * A trace that all of them belong to stands once in the bundle, others with their webhooks (trace-context.ts).
 */
import { type Static, Type } from 'typebox';
import { StoredDestination } from './destination.ts';
import { TRACE_LINKS_MAX, TraceContext } from './trace-context.ts';
import { PositionRange } from './webhook-id.ts';

/** Raised when a field changes its meaning; a worker refuses bundles of a version that it doesn't know. */
export const BUNDLE_VERSION = 1;

export const BundledWebhook = Type.Object({
  index: Type.Integer({ minimum: 0 }),
  messageId: Type.String(),
  userId: Type.Optional(Type.String()),
  body: Type.String({
    description: 'The request body as it is sent: a payload is serialized once, at the edge.',
  }),
  contentType: Type.Optional(Type.String({ description: 'application/json when absent.' })),
  members: Type.Optional(
    Type.Array(PositionRange, {
      minItems: 1,
      description: 'Of a batch: the positions of the webhooks that it holds, one for each recipient.',
    }),
  ),
  trace: Type.Optional(TraceContext),
  links: Type.Optional(
    Type.Array(TraceContext, {
      maxItems: TRACE_LINKS_MAX,
      description: "Of a batch: the traces of its webhooks that aren't the batch's own.",
    }),
  ),
});

export const Bundle = Type.Object({
  version: Type.Literal(BUNDLE_VERSION),
  campaignId: Type.String(),
  run: Type.String(),
  first: Type.Integer({ minimum: 0 }),
  acceptedAt: Type.Integer({ description: "Milliseconds since 1970, by the producer's clock." }),
  deliverAt: Type.Optional(Type.Integer({ description: 'Milliseconds since 1970; not sent before.' })),
  attempt: Type.Integer({ minimum: 1 }),
  dueAt: Type.Optional(
    Type.Integer({
      description: "Of a later attempt: milliseconds since 1970 by Redis' clock; not sent before.",
    }),
  ),
  controlsVersion: Type.Optional(
    Type.Integer({
      minimum: 0,
      description:
        'Of the controls that the producer knew: a worker that knows earlier ones reads them again.',
    }),
  ),
  generation: Type.Optional(
    Type.Integer({
      minimum: -1,
      description:
        "The campaign's at the time of the enqueue, 0 when absent: an earlier one is cancelled. What comes while the campaign is cancelled is of the one before.",
    }),
  ),
  replayedAt: Type.Optional(Type.Integer({ description: 'Of a replay: when it was asked for.' })),
  attemptsBefore: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'Of a replay: attempts that its retry schedule does not count.',
    }),
  ),
  claim: Type.Optional(
    Type.Literal(true, {
      description:
        'The same webhooks may stand in another job too (an idempotent call was repeated): claim each before its attempt.',
    }),
  ),
  recheck: Type.Optional(
    Type.Literal(true, { description: 'Written by a run that repeats another: read the attempt log first.' }),
  ),
  claimedBy: Type.Optional(
    Type.String({
      description: 'The job that claimed the webhooks, if an earlier version gave them another one.',
    }),
  ),
  channelConfigId: Type.Optional(Type.String()),
  destination: Type.Optional(StoredDestination),
  sealedDestination: Type.Optional(Type.String({ description: 'The destination, encrypted.' })),
  trace: Type.Optional(TraceContext),
  webhooks: Type.Array(BundledWebhook, { minItems: 1 }),
});

export type BundledWebhook = Static<typeof BundledWebhook>;
export type Bundle = Static<typeof Bundle>;

/** A batch travels as a bundle of one, which holds the webhooks of many recipients. */
export function isBatch({ webhooks }: Pick<Bundle, 'webhooks'>): boolean {
  return webhooks[0]?.members !== undefined;
}

/** 1, or a batch's size. */
export function recipientsOf({ members }: BundledWebhook): number {
  return members === undefined ? 1 : members.reduce((sum, { count }) => sum + count, 0);
}

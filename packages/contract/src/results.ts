/**
 * The data of a job in the results queue: what the aggregator is to count. Written by workers (outcomes) and
 * producers (acceptances), applied exactly once however often a job arrives.
 */
import { type Static, Type } from 'typebox';
import { Outcome } from './outcome.ts';
import { PositionRange } from './webhook-id.ts';

export const RESULTS_VERSION = 1;

/** The webhooks at these positions were accepted. See webhook-id.ts for positions. */
export const Acceptance = Type.Object({
  campaignId: Type.String(),
  ...PositionRange.properties,
  acceptedAt: Type.Integer(),
});

/** The webhooks at these positions are not sent: their campaign was called off. */
export const Cancellation = Type.Object({
  campaignId: Type.String(),
  ...PositionRange.properties,
});

export const Results = Type.Object({
  version: Type.Literal(RESULTS_VERSION),
  acceptances: Type.Optional(Type.Array(Acceptance)),
  outcomes: Type.Optional(Type.Array(Outcome)),
  cancellations: Type.Optional(Type.Array(Cancellation)),
});

export type Acceptance = Static<typeof Acceptance>;
export type Cancellation = Static<typeof Cancellation>;
export type Results = Static<typeof Results>;

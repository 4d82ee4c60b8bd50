/**
 * The data of a job in the results queue: what the aggregator is to count. Written by workers (outcomes) and
 * producers (acceptances), applied exactly once however often a job arrives.
 */
import { type Static, Type } from 'typebox';
import { Outcome } from './outcome.ts';

export const RESULTS_VERSION = 1;

/** The positions from `from` on, `count` of them, were accepted. See webhook-id.ts for positions. */
export const Acceptance = Type.Object({
  campaignId: Type.String(),
  run: Type.String(),
  from: Type.Integer({ minimum: 0 }),
  count: Type.Integer({ minimum: 1 }),
  acceptedAt: Type.Integer(),
});

/** The positions from `from` on, `count` of them, are not sent: their campaign was called off. */
export const Cancellation = Type.Object({
  campaignId: Type.String(),
  run: Type.String(),
  from: Type.Integer({ minimum: 0 }),
  count: Type.Integer({ minimum: 1 }),
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

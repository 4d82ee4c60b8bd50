/** The tolerances of the oracle: each with its reason, in one place. All in milliseconds. */
import type { Lag } from '../history.ts';

export interface Slack {
  /** A request that left a worker before the answer of a pause may be on its way for so long. */
  readonly stopMs: number;
  /** A resume, or a limit that is raised or removed, takes effect within this time. */
  readonly resumeMs: number;
  /** A limit that was changed applies to every worker after this time. */
  readonly limitGraceMs: number;
  /** Two requests that a rate spaced evenly may arrive closer together by this time: the network is not even. */
  readonly rateMs: number;
  /** `deliverAt` is a whole millisecond, and the two clocks are read apart. */
  readonly clockMs: number;
  /** Between the receiver's answer and the record of the attempt, a worker may be killed. */
  readonly recordMs: number;
  /** A killed worker's locks and leases run out, and its webhooks are taken again: twice (lock + attempt + interval), and a look. */
  readonly recoveryMs: number;
}

export const SLACK: Slack = {
  stopMs: 100,
  resumeMs: 1_000,
  limitGraceMs: 1_000,
  rateMs: 100,
  clockMs: 2,
  recordMs: 1_000,
  recoveryMs: 15_000,
};

/** On a machine that others use: each tolerance for what a busy processor delays is longer by this. */
export function slackWith(extraMs: number): Slack {
  return {
    ...SLACK,
    stopMs: SLACK.stopMs + extraMs,
    resumeMs: SLACK.resumeMs + extraMs,
    rateMs: SLACK.rateMs + extraMs,
    recordMs: SLACK.recordMs + extraMs,
  };
}

const NEAR_MS = 30;

/** How late the receiver may have noticed what it noticed at this time. */
export function lagAt(lags: readonly Lag[], atMs: number): number {
  let most = 0;
  // A tick that is late by so much ran after a stall that may have ended just before or after the request was read.
  for (const lag of lags)
    if (atMs >= lag.atMs - lag.lagMs - NEAR_MS && atMs <= lag.atMs + NEAR_MS)
      most = Math.max(most, lag.lagMs);
  return most;
}

/**
 * Which webhooks of the queue go first: those of campaigns that have less waiting. So a small campaign does not wait
 * behind a large one, two large ones take turns, and a campaign that is alone is slowed down by nothing. (The least
 * attained service goes first: the foreground-background queue; Nuyens and Wierman, 2008.)
 *
 * A bundle's priority is set when it joins the queue, by how much of its campaign waits there already, in bands:
 *
 *       0              what has hardly anything waiting, of any campaign but those of low priority: first come, first served
 *       1 to 8         more of campaigns of high priority
 *       9 to 135       more of normal ones
 *     136 to 263       campaigns of low priority
 *
 * In each band the priority falls by one with each step of 9 % in what waits. Retries count four times and are never in
 * band 0: a storm of them leaves the way free for first attempts. Pure. Lower numbers are served first, as BullMQ has it.
 */
import type { CampaignPriority } from '@hookfleet/contract';

/** A worker or two take so much in a tenth of a second: whoever waits behind it hardly notices. */
export const SMALL_BACKLOG = 250;
const STEPS_PER_DOUBLING = 8;
const STEP_MAX = 127;
const HIGH_STEPS = 8;
const NORMAL_FROM = HIGH_STEPS;
const LOW_FROM = NORMAL_FROM + STEP_MAX + 1;
const RETRY_WEIGHT = 4;

export interface QueuePriorityInput {
  /** Webhooks of the campaign that are in the queue already. */
  readonly waiting: number;
  readonly priority: CampaignPriority;
  readonly isRetry: boolean;
}

/** BullMQ's priority; 0: none. */
export function queuePriority({ waiting, priority, isRetry }: QueuePriorityInput): number {
  const step = isRetry ? Math.max(1, stepOf(waiting * RETRY_WEIGHT)) : stepOf(waiting);
  return inBand(step, priority);
}

/** The priority of what waits already, after its campaign's has changed. */
export function queuePriorityMoved(current: number, priority: CampaignPriority): number {
  return inBand(stepWithin(current), priority);
}

function stepOf(waiting: number): number {
  if (waiting < SMALL_BACKLOG) return 0;
  return Math.min(STEP_MAX, 1 + Math.floor(STEPS_PER_DOUBLING * Math.log2(waiting / SMALL_BACKLOG)));
}

function inBand(step: number, priority: CampaignPriority): number {
  switch (priority) {
    case 'high':
      return Math.ceil((step * HIGH_STEPS) / STEP_MAX);
    case 'normal':
      return step === 0 ? 0 : NORMAL_FROM + step;
    case 'low':
      return LOW_FROM + step;
  }
}

function stepWithin(current: number): number {
  if (current >= LOW_FROM) return current - LOW_FROM;
  if (current > NORMAL_FROM) return current - NORMAL_FROM;
  return Math.floor((current * STEP_MAX) / HIGH_STEPS);
}

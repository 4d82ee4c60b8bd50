/**
 * Gives webhooks their positions: for each campaign a run, and dense numbers within it. No call to Redis is needed,
 * for a run is a random token of this process: two producers never share one, and neither do two lives of one, not
 * even when Redis comes back from a crash with the last second missing.
 */
import { randomBytes } from 'node:crypto';

// Least recently used campaigns beyond this number lose their run; their next webhook begins a new one.
const CAMPAIGNS_MAX = 10_000;
// A run's marks are one string in Redis: a new run begins before the string gets large enough to stall a copy.
const POSITIONS_MAX = 4_000_000;

export interface Positions {
  readonly run: string;
  readonly first: number;
}

export interface PositionAllocator {
  /** The first of `count` positions in a row. */
  allocate(campaignId: string, count: number): Positions;
}

export function createPositionAllocator(
  newRun: () => string = () => randomBytes(6).toString('hex'),
): PositionAllocator {
  const runs = new Map<string, { run: string; next: number }>();
  return {
    allocate(campaignId, count) {
      let current = runs.get(campaignId);
      runs.delete(campaignId);
      if (current === undefined || current.next + count > POSITIONS_MAX) current = { run: newRun(), next: 0 };
      runs.set(campaignId, current);
      if (runs.size > CAMPAIGNS_MAX) runs.delete(runs.keys().next().value as string);
      const first = current.next;
      current.next += count;
      return { run: current.run, first };
    },
  };
}

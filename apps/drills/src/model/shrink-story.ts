/**
 * The shortest story that still fails: operations are taken out greedily, large runs of them first, then webhooks are made
 * fewer. A failure may depend on timing, so each candidate is run several times before it is given up.
 * Pure, but for the runs.
 */
import type { Operation, Story } from './story.ts';

export interface ShrinkBounds {
  /** Runs of stories in all. */
  readonly runs: number;
  readonly runsPerCandidate: number;
}

export const SHRINK_BOUNDS: ShrinkBounds = { runs: 60, runsPerCandidate: 3 };

/** `fails`: runs a candidate once. Resolves to the shortest found, which is the story itself if no shorter one fails. */
export async function shrinkStory(
  story: Story,
  fails: (candidate: Story) => Promise<boolean>,
  { runs, runsPerCandidate }: ShrinkBounds = SHRINK_BOUNDS,
): Promise<Story> {
  let left = runs;
  let shortest = story;

  async function take(candidate: Story): Promise<boolean> {
    for (let tries = 0; tries < runsPerCandidate && left > 0; tries += 1) {
      left -= 1;
      if (!(await fails(candidate))) continue;
      shortest = candidate;
      return true;
    }
    return false;
  }

  for (let size = Math.floor(sizeOf(story) / 2); size >= 1; size = Math.floor(size / 2)) {
    // From the end: what comes after a failure goes first.
    for (let to = sizeOf(shortest); to > 0 && left > 0; to -= size)
      await take(withoutRange(shortest, Math.max(0, to - size), to));
  }
  for (let at = 0; at < sizeOf(shortest); at += 1) {
    for (let isFewer = true; isFewer && left > 0; ) {
      const fewer = withFewerWebhooks(shortest, at);
      isFewer = fewer !== undefined && (await take(fewer));
    }
  }
  return shortest;
}

function sizeOf({ steps }: Story): number {
  return steps.reduce((sum, { operations }) => sum + operations.length, 0);
}

/** Without the operations at these places. The next step waits for those that this leaves empty: the times stay. */
function withoutRange(story: Story, from: number, to: number): Story {
  return mapOperations(story, (operation, at) => (at >= from && at < to ? undefined : operation));
}

/** A quarter of the webhooks of the operation at this place. Undefined if it has no more than one. */
function withFewerWebhooks(story: Story, place: number): Story | undefined {
  let isFewer = false;
  const fewer = mapOperations(story, (operation, at) => {
    if (at !== place || operation.kind !== 'enqueue' || operation.count <= 1) return operation;
    isFewer = true;
    return { ...operation, count: Math.floor(operation.count / 4) || 1 };
  });
  return isFewer ? fewer : undefined;
}

function mapOperations(
  story: Story,
  map: (operation: Operation, at: number) => Operation | undefined,
): Story {
  let at = -1;
  let extraMs = 0;
  const steps = story.steps.flatMap(({ waitMs, operations }) => {
    const mapped = operations.flatMap((operation) => {
      at += 1;
      return map(operation, at) ?? [];
    });
    extraMs += waitMs;
    if (mapped.length === 0) return [];
    const step = { waitMs: extraMs, operations: mapped };
    extraMs = 0;
    return step;
  });
  return { ...story, steps };
}

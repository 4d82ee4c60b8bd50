/** A story that fails is shortened to what it takes to fail, within a bound of runs. Takes under a second. */
import { expect, test } from '@jest/globals';
import { generateStory } from './generate-story.ts';
import { SHRINK_BOUNDS, shrinkStory } from './shrink-story.ts';
import { type Operation, operationsOf, type Story } from './story.ts';

const STORY = generateStory(3);
const NEEDED: readonly Operation[] = [
  { kind: 'cancel-campaign', campaign: 1 },
  { kind: 'resume-campaign', campaign: 1 },
];
const PADDED: Story = {
  seed: 3,
  steps: STORY.steps.flatMap((step, i) => [
    step,
    ...(i === 2 || i === 6 ? [{ waitMs: 5, operations: [NEEDED[i === 2 ? 0 : 1] as Operation] }] : []),
  ]),
};

function hasNeeded(story: Story): boolean {
  return NEEDED.every((needed) => operationsOf(story).includes(needed));
}

test('only the operations that it takes to fail are left', async () => {
  const shortest = await shrinkStory(PADDED, async (story) => hasNeeded(story), {
    runs: 1_000,
    runsPerCandidate: 1,
  });
  expect(operationsOf(shortest)).toEqual(NEEDED);
});

test('what is left happens as late as before', async () => {
  const shortest = await shrinkStory(PADDED, async (story) => hasNeeded(story), {
    runs: 1_000,
    runsPerCandidate: 1,
  });
  const waitsMs = (story: Story) => story.steps.reduce((sum, { waitMs }) => sum + waitMs, 0);
  const until = PADDED.steps.findIndex(({ operations }) => operations.includes(NEEDED[1] as Operation));
  expect(waitsMs(shortest)).toBe(waitsMs({ ...PADDED, steps: PADDED.steps.slice(0, until + 1) }));
});

test('a candidate that fails once in three runs is taken', async () => {
  let runs = 0;
  const fails = async (story: Story) => {
    runs += 1;
    return runs % 3 === 0 && hasNeeded(story);
  };
  const shortest = await shrinkStory(PADDED, fails, { runs: 1_000, runsPerCandidate: 3 });
  expect(operationsOf(shortest)).toEqual(NEEDED);
});

test('webhooks are made fewer for as long as it fails', async () => {
  const enqueue: Operation = {
    kind: 'enqueue',
    campaign: 1,
    to: { script: 'ok', method: 'POST' },
    count: 60,
    as: 'bulk',
    key: 'none',
  };
  const story: Story = { seed: 1, steps: [{ waitMs: 0, operations: [enqueue] }] };
  const fails = async (one: Story) =>
    operationsOf(one).some((operation) => operation.kind === 'enqueue' && operation.count >= 3);
  expect(operationsOf(await shrinkStory(story, fails))).toEqual([{ ...enqueue, count: 3 }]);
});

test('a story that fails once only stays as it is, and no more runs are made than allowed', async () => {
  let runs = 0;
  const shortest = await shrinkStory(PADDED, async () => {
    runs += 1;
    return false;
  });
  expect(shortest).toEqual(PADDED);
  expect(runs).toBeLessThanOrEqual(SHRINK_BOUNDS.runs);
});

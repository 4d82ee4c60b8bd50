/**
 * Runs the stories of many seeds on one fleet, and holds each against the model. The first story that breaks a promise is
 * shortened for as long as it still does; further seeds that break the same one are only counted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { generateStory, STORY_LONG, STORY_SHORT } from './generate-story.ts';
import type { History, Promised, Violation } from './history.ts';
import { type FleetOptions, type ModelFleet, startModelFleet } from './model-fleet.ts';
import { slackWith } from './oracle/slack.ts';
import { SHRINK_BOUNDS, shrinkStory } from './shrink-story.ts';
import { createRunner, type Runner } from './story-runner.ts';
import { operationsOf, type Story, webhooksOf } from './story.ts';

export interface ModelOptions extends FleetOptions {
  readonly seed: number;
  readonly seeds: number;
  /** Stories with fewer steps, and fewer runs to shorten one that fails. */
  readonly isShort: boolean;
  readonly shrinks: boolean;
  /** Added to the oracle's tolerances, in milliseconds. */
  readonly slackMs: number;
  /** Instead of those of the seeds. */
  readonly story?: Story;
  readonly onProgress: (text: string) => void;
}

export interface Failure {
  readonly seed: number;
  readonly promise: Promised;
  readonly text: string;
  /** The shortest that was found to break the promise. */
  readonly story: Story;
  /** Of the run that broke it: when each operation was asked and answered. */
  readonly history: History | undefined;
}

export interface ModelReport {
  readonly seeds: number;
  readonly operations: number;
  readonly webhooks: number;
  readonly seconds: number;
  readonly failures: readonly Failure[];
}

const SHRINK_BOUNDS_SHORT = { ...SHRINK_BOUNDS, runs: 15 };
// The aggregator looks into the queues every five seconds.
const SAMPLED_MS = 6_000;

export async function runModel(options: ModelOptions): Promise<ModelReport> {
  const { seed, seeds, isShort, onProgress } = options;
  const startedAt = performance.now();
  const stories =
    options.story === undefined
      ? Array.from({ length: seeds }, (_, i) => generateStory(seed + i, isShort ? STORY_SHORT : STORY_LONG))
      : [options.story];
  const fleet = await startModelFleet(options);
  try {
    onProgress(`the fleet is up after ${seconds(startedAt)} s`);
    const failures: Failure[] = [];
    const runner = createRunner(fleet, slackWith(options.slackMs));
    for (const story of stories) {
      const storyAt = performance.now();
      const { violations, history } = await runner.run(story);
      const broken = firstOfEach(violations);
      const what =
        broken.length === 0 ? 'kept' : `broken: ${broken.map(({ promise }) => promise).join(', ')}`;
      if (broken.length === 0) runner.keep(story);
      onProgress(
        `seed ${story.seed}: ${operationsOf(story).length} operations, ${webhooksOf(story)} webhooks, ${seconds(storyAt)} s, ${what}`,
      );
      for (const { promise, text } of broken) {
        const isKnown = failures.some((failure) => failure.promise === promise);
        failures.push(
          isKnown || !options.shrinks
            ? { seed: story.seed, promise, text, story, history }
            : await shrunk(runner, { seed: story.seed, promise, text, story, history }, options),
        );
      }
    }
    if (!isShort) await sleep(SAMPLED_MS);
    for (const { story, text } of await runner.end())
      failures.push({ seed: story.seed, promise: 'repeats', text, story, history: undefined });
    // A story that left something behind explains it.
    const isExplained = failures.some(({ promise }) => promise === 'accounts');
    for (const text of isExplained ? [] : await fleetViolations(fleet))
      failures.push({ seed, promise: 'accounts', text, story: stories[0] as Story, history: undefined });
    return {
      seeds: stories.length,
      operations: stories.reduce((sum, story) => sum + operationsOf(story).length, 0),
      webhooks: stories.reduce((sum, story) => sum + webhooksOf(story), 0),
      seconds: seconds(startedAt),
      failures,
    };
  } finally {
    await fleet.stop();
  }
}

/** The first violation of each promise: those after it are often its consequences. */
function firstOfEach(violations: readonly Violation[]): Violation[] {
  return violations.filter(
    ({ promise }, i) => violations.findIndex((other) => other.promise === promise) === i,
  );
}

async function shrunk(
  runner: Runner,
  failure: Failure,
  { isShort, onProgress }: ModelOptions,
): Promise<Failure> {
  const { promise } = failure;
  let shortest = failure;
  onProgress(`shortening the story that breaks "${promise}"`);
  await shrinkStory(
    failure.story,
    async (candidate) => {
      const { violations, history } = await runner.run(candidate);
      const same = violations.find((one) => one.promise === promise);
      if (same !== undefined) shortest = { ...failure, text: same.text, story: candidate, history };
      return same !== undefined;
    },
    isShort ? SHRINK_BOUNDS_SHORT : SHRINK_BOUNDS,
  );
  return shortest;
}

/** What no campaign tells: webhooks that nobody accounts for, and jobs that BullMQ gave up. */
async function fleetViolations(fleet: ModelFleet): Promise<string[]> {
  const unaccounted = await fleet.metric('hookfleet_unaccounted');
  const jobs = await fleet.metric('hookfleet_queue_jobs');
  return [
    ...unaccounted
      .filter(({ value }) => value !== 0)
      .map(({ value }) => `hookfleet_unaccounted is ${value} when every story has ended.`),
    ...jobs
      .filter(({ labels, value }) => labels['state'] === 'failed' && value !== 0)
      .map(({ labels, value }) => `${value} jobs of the ${labels['queue']} queue are failed.`),
  ];
}

function seconds(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 100) / 10;
}

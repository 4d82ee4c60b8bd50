/** A seed has one story, within its size, and many seeds together have every kind of operation. Takes under a second. */
import { expect, test } from '@jest/globals';
import { generateStory, STORY_LONG, STORY_SHORT } from './generate-story.ts';
import { operationsOf, operationText, parseStory, webhooksOf } from './story.ts';

const SEEDS = Array.from({ length: 300 }, (_, i) => i);

test('a seed has one story, and another seed another', () => {
  expect(generateStory(7)).toEqual(generateStory(7));
  expect(generateStory(7)).not.toEqual(generateStory(8));
});

test('a story that was printed can be read again', () => {
  expect(parseStory(JSON.stringify(generateStory(7)))).toEqual(generateStory(7));
  expect(() => parseStory('{"seed": 7}')).toThrow('an object with seed and steps is needed');
});

test.each([
  ['long', STORY_LONG],
  ['short', STORY_SHORT],
] as const)('no %s story has more webhooks than its size allows', (_, size) => {
  for (const seed of SEEDS)
    expect(webhooksOf(generateStory(seed, size))).toBeLessThanOrEqual(size.webhooksMax);
});

test('three hundred stories have every kind of operation, and can be told', () => {
  const operations = SEEDS.flatMap((seed) => operationsOf(generateStory(seed)));
  expect([...new Set(operations.map(({ kind }) => kind))].toSorted()).toEqual([
    'cancel-campaign',
    'enqueue',
    'kill-worker',
    'pause-campaign',
    'pause-channel',
    'put-channel',
    'put-controls',
    'replay-campaign',
    'resume-campaign',
    'resume-channel',
    'start-worker',
    'stop-worker',
  ]);
  expect(operations.map(operationText).filter((text) => /undefined|NaN/.test(text))).toEqual([]);
});

test('no destination gets so many webhooks that fail that its circuit could open', () => {
  for (const seed of SEEDS) {
    const failing = new Map<string, number>();
    const scripts = new Map<number, string>();
    for (const operation of operationsOf(generateStory(seed))) {
      if (operation.kind === 'put-channel') scripts.set(operation.channel, operation.script);
      if (operation.kind !== 'enqueue') continue;
      const { to, count } = operation;
      const script = 'channel' in to ? scripts.get(to.channel) : to.script;
      const failures = { flaky: 1, down: 3 }[script ?? ''] ?? 0;
      const place = 'channel' in to ? `channel ${to.channel}` : to.script;
      failing.set(place, (failing.get(place) ?? 0) + count * failures);
    }
    expect(Math.max(0, ...failing.values())).toBeLessThan(20);
  }
});

test('a pause, a resume or a cancel never runs beside another of them', () => {
  for (const seed of SEEDS)
    for (const { operations } of generateStory(seed).steps)
      expect(operations.filter(({ kind }) => /^(pause|resume|cancel)-/.test(kind)).length).toBeLessThan(2);
});

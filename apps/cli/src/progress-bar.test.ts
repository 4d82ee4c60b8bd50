/** A progress bar shows the share that is done, the rate and the time left. Takes under a second. */
import { expect, test } from '@jest/globals';
import { progressBar, progressLine } from './progress-bar.ts';

const progress = {
  webhooks: 3_000,
  webhooksOfRun: 1_000,
  bytes: 500,
  bytesOfRun: 250,
  bytesTotal: 1_000,
  elapsedMs: 2_000,
};

test('a bar is as full as its share, to an eighth of a character, and never beyond its ends', () => {
  expect(progressBar(0, 4)).toBe('░░░░');
  expect(progressBar(0.5, 4)).toBe('██░░');
  expect(progressBar(1 / 32, 4)).toBe('▏░░░');
  expect(progressBar(1, 4)).toBe('████');
  expect(progressBar(7, 4)).toBe('████');
  expect(progressBar(-1, 4)).toBe('░░░░');
});

test('rate and time left are of this run: 250 bytes took 2 s, so 500 take 4', () => {
  const line = progressLine(progress);
  expect(line).toContain('50 %');
  expect(line).toContain('3,000 webhooks  500 a second  4.0 s left');
});

test('nothing is left at the end, and a stream has neither a bar nor an end', () => {
  expect(progressLine({ ...progress, bytes: 1_000 })).not.toContain('left');
  expect(progressLine({ ...progress, bytesTotal: undefined })).toBe('3,000 webhooks  500 a second');
  expect(progressLine({ ...progress, webhooksOfRun: 0, bytesOfRun: 0, elapsedMs: 0 })).toContain(
    '0 a second',
  );
});

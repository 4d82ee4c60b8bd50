/**
 * The campaign manager's page explains every word that the dashboard shows, with the dashboard's own words.
 * Takes under a second.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { OUTCOME_REASONS } from '@hookfleet/contract';
import { EVENT_WORDS, eventOf, MESSAGE_WORDS, REASON_WORDS, STATE_WORDS, type Word } from '../page/words.ts';

const page = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** Label and meaning of each row of the table below a heading, and whether it says what to do. */
function rowsBelow(heading: string): string[] {
  const [section = ''] = page.slice(page.indexOf(`\n## ${heading}`) + 1).split('\n## ', 1);
  return [...section.matchAll(/^\| (?!word|---)(.+?) \| (.+?) \| .+ \|$/gm)].map(
    ([, label, meaning]) => `${label}: ${meaning}`,
  );
}

const asRows = (words: Readonly<Record<string, Word>>) =>
  Object.values(words).map(({ label, meaning }) => `${label}: ${meaning}`);

test.each([
  ['The state of a campaign', STATE_WORDS],
  ['Messages', MESSAGE_WORDS],
  ['Events', EVENT_WORDS],
  ['Why attempts failed', REASON_WORDS],
])('below "%s" it has each of the words, and no other', (heading, words) => {
  expect(rowsBelow(heading).sort()).toEqual(asRows(words).sort());
});

test('every reason has a word, and the event that classify gives it', () => {
  expect(Object.keys(REASON_WORDS).sort()).toEqual([...OUTCOME_REASONS].sort());
  expect(OUTCOME_REASONS.filter((reason) => eventOf(reason) === 'webhook.error')).toEqual([
    'http_4xx',
    'gone',
    'redirect',
    'blocked',
    'unsendable',
  ]);
});

/** The README lists every environment variable of the aggregator. Takes under a second. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { variableRows } from '@hookfleet/runtime';
import { AGGREGATOR_VARIABLES } from './config.ts';

test('the README tells every variable of the aggregator as the code has it', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  for (const row of variableRows(AGGREGATOR_VARIABLES)) expect(readme).toContain(row);
});

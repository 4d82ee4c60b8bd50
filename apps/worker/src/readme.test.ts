/** The README lists every environment variable of the worker. Takes under a second. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { variableRows } from '@hookfleet/runtime';
import { WORKER_VARIABLES } from './config.ts';

test('the README tells every variable of the worker as the code has it', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  for (const row of variableRows(WORKER_VARIABLES)) expect(readme).toContain(row);
});

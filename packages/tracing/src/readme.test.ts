/** The operators' page lists every tracing variable, and no other. Takes under a second. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { variableRows } from '@hookfleet/runtime';
import { TRACING_VARIABLES } from './tracing-config.ts';

test("the operators' page tells every variable of tracing as the code has it, and no other", () => {
  const page = readFileSync(new URL('../../../docker/README.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `OTEL_.*$/gm)].map(([row]) => row);
  expect(rows).toEqual(variableRows(TRACING_VARIABLES));
});

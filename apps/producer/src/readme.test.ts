/** The documents list every variable, limit, state and event of the producer. Takes under a second. */
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import {
  BULK_EVENTS_MAX,
  BULK_WEBHOOKS_MAX,
  IDENTIFIER_LENGTH_MAX,
  OUTCOME_EVENTS,
  PAYLOAD_DEPTH_MAX,
  WEBHOOK_STATES,
} from '@hookfleet/contract';
import { WEBHOOK_BYTES_MAX } from '@hookfleet/intake';
import { variableRows } from '@hookfleet/runtime';
import { PRODUCER_VARIABLES } from './config.ts';
import { BULK_BYTES_MAX } from './routes/webhooks.ts';

test('the README tells every variable of the producer as the code has it', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  for (const row of variableRows(PRODUCER_VARIABLES)) expect(readme).toContain(row);
});

test("the upstream engineer's page tells the limits, states and events that the code has", () => {
  const page = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const mebibytes = (bytes: number) => `${bytes / 1024 / 1024} MiB`;
  const number = (value: number) => value.toLocaleString('en');
  for (const row of [
    `| a webhook's body, as it is sent | ${mebibytes(WEBHOOK_BYTES_MAX)} |`,
    `| nesting of a payload, or of another JSON body | ${PAYLOAD_DEPTH_MAX} levels |`,
    `| a bulk call | ${number(BULK_WEBHOOKS_MAX)} webhooks, ${mebibytes(BULK_BYTES_MAX)} |`,
    `| ids of campaigns, messages, channels, users | ${IDENTIFIER_LENGTH_MAX} characters, none of them a space |`,
    `| custom events in a call | ${number(BULK_EVENTS_MAX)} |`,
  ])
    expect(page).toContain(row);
  expect(page).toContain(`${WEBHOOK_STATES.slice(0, -1).join(', ')} or ${WEBHOOK_STATES.at(-1)}`);
  for (const event of OUTCOME_EVENTS) expect(page).toContain(`\`${event}\``);
});

/** The profile report shows calls, time and share of each Lua script. Takes under a second. */
import { expect, test } from '@jest/globals';
import { profileTable } from './draw-profile.ts';

const COSTS = [
  {
    client: 'worker',
    name: 'record-attempts',
    calls: 50,
    micros: 9_000,
    within: new Map([
      ['hset', { calls: 1_000, micros: 3_000 }],
      ['type', { calls: 50, micros: 1 }],
    ]),
  },
  { client: 'producer', name: 'info', calls: 1, micros: 1_000, within: new Map() },
];

test('a profile tells calls, time and share of each script, and of what takes time within it', () => {
  const lines = profileTable({ name: 'delivering', webhooks: 1_000, costs: COSTS }).split('\n');
  const rows = lines.map((line) => line.trim().split(/ {2,}/));
  const cellsOf = (label: string) => rows.find(([first]) => first === label);
  expect(cellsOf('worker record-attempts')).toEqual([
    'worker record-attempts',
    '0.050',
    '9.00',
    '180.0',
    '90.0 %',
  ]);
  expect(cellsOf('hset')).toEqual(['hset', '1.000', '3.00', '3.0', '30.0 %']);
  expect(cellsOf('type')).toBeUndefined();
  // What a script calls is part of it: it is not added up.
  expect(cellsOf('all')).toEqual(['all', '0.051', '10.00', '196.1', '100.0 %']);
});

/** A seed always gives the same plan of faults, and the plan uses every kind of fault. Takes under a second. */
import { expect, test } from '@jest/globals';
import { FAULT_KINDS, planFaults } from './fault-plan.ts';

test('a seed has one plan, and another seed another', () => {
  expect(planFaults(7, 40)).toEqual(planFaults(7, 40));
  expect(planFaults(7, 40)).not.toEqual(planFaults(8, 40));
});

test('each kind of fault is met before any is met again', () => {
  const kinds = planFaults(7, 2 * FAULT_KINDS.length).map(({ kind }) => kind);
  for (const from of [0, FAULT_KINDS.length])
    expect(kinds.slice(from, from + FAULT_KINDS.length).toSorted()).toEqual([...FAULT_KINDS].toSorted());
});

/** A seed always gives the same plan of failovers, and the plan uses every kind of failure. Takes under a second. */
import { expect, test } from '@jest/globals';
import { FAILOVER_KINDS, planFailovers } from './failover-plan.ts';

test('a seed has one plan, and another seed another', () => {
  expect(planFailovers(7, 20)).toEqual(planFailovers(7, 20));
  expect(planFailovers(7, 20)).not.toEqual(planFailovers(8, 20));
});

test('a master fails in each way before it fails in any again, and with a replica that lags and one that does not', () => {
  const plan = planFailovers(7, 5 * FAILOVER_KINDS.length);
  for (let from = 0; from < plan.length; from += FAILOVER_KINDS.length)
    expect(
      plan
        .slice(from, from + FAILOVER_KINDS.length)
        .map(({ kind }) => kind)
        .toSorted(),
    ).toEqual([...FAILOVER_KINDS].toSorted());
  expect(new Set(plan.map(({ lagMs }) => lagMs > 0))).toEqual(new Set([true, false]));
});

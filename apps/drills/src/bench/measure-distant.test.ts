/** The rate to a distant receiver is that after the first second, while there is enough to send. Takes under a second. */
import { expect, test } from '@jest/globals';
import { Growth } from './measure-distant.ts';

test('neither the start, nor the first second, nor what runs dry counts', () => {
  const growth = new Growth(950);
  growth.see(0, 5_000);
  growth.see(1, 6_000);
  growth.see(50, 6_990);
  growth.see(100, 7_000);
  growth.see(900, 9_000);
  growth.see(960, 12_000);
  growth.see(1_000, 20_000);
  expect(growth.perSecond()).toBe(400);
});

test('what is over within a second has no rate', () => {
  const growth = new Growth(95);
  growth.see(1, 0);
  growth.see(100, 900);
  expect(growth.perSecond()).toBeNaN();
  growth.see(100, 1_000);
  expect(growth.perSecond()).toBeNaN();
});

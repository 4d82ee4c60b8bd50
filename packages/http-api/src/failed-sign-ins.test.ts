/** Repeated failed sign-ins block an address for a minute, in bounded memory. Takes under a second. */
import { expect, test } from '@jest/globals';
import { createFailedSignIns } from './failed-sign-ins.ts';

function setup() {
  let nowMs = 1_000_000;
  const signIns = createFailedSignIns(() => nowMs);
  const failMany = (address: string, times = 100) => {
    for (let i = 0; i < times; i += 1) signIns.failed(address);
  };
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { signIns, failMany, pass };
}

test('whoever fails too often is not believed for the rest of a minute, with a right key neither', () => {
  const { signIns, failMany, pass } = setup();
  failMany('192.0.2.1');
  expect(signIns.blockedForMs('192.0.2.1', undefined)).toBeGreaterThan(0);
  expect(signIns.blockedForMs('192.0.2.1', 'aaaaaaaa')).toBeGreaterThan(0);
  expect(signIns.blockedForMs('192.0.2.2', 'aaaaaaaa')).toBe(0);
  pass(60_000);
  expect(signIns.blockedForMs('192.0.2.1', 'aaaaaaaa')).toBe(0);
});

test('the thirtieth wrong key within a minute blocks an address, for what is left of that minute', () => {
  const { signIns, failMany, pass } = setup();
  failMany('192.0.2.1', 29);
  pass(59_999);
  expect(signIns.blockedForMs('192.0.2.1', undefined)).toBe(0);
  failMany('192.0.2.1', 1);
  expect(signIns.blockedForMs('192.0.2.1', undefined)).toBe(1);
  pass(1);
  expect(signIns.blockedForMs('192.0.2.1', undefined)).toBe(0);
  // Another minute begins with the next.
  failMany('192.0.2.1', 30);
  expect(signIns.blockedForMs('192.0.2.1', undefined)).toBe(60_000);
});

test('a right key is remembered while the address is not blocked, and not while it is', () => {
  const { signIns, failMany, pass } = setup();
  failMany('192.0.2.1', 30);
  expect(signIns.blockedForMs('192.0.2.1', 'aaaaaaaa')).toBe(60_000);
  expect(signIns.blockedForMs('192.0.2.1', 'aaaaaaaa')).toBe(60_000);
  pass(60_000);
  expect(signIns.blockedForMs('192.0.2.1', 'aaaaaaaa')).toBe(0);
  failMany('192.0.2.1', 30);
  expect(signIns.blockedForMs('192.0.2.1', 'aaaaaaaa')).toBe(0);
  // Known from one address, it is not known from another.
  failMany('192.0.2.2', 30);
  expect(signIns.blockedForMs('192.0.2.2', 'aaaaaaaa')).toBe(60_000);
});

test('a caller that is known from the same address goes on, and another key does not', () => {
  const { signIns, failMany } = setup();
  expect(signIns.blockedForMs('192.0.2.1', 'aaaaaaaa')).toBe(0);
  failMany('192.0.2.1');
  expect(signIns.blockedForMs('192.0.2.1', 'aaaaaaaa')).toBe(0);
  expect(signIns.blockedForMs('192.0.2.1', 'bbbbbbbb')).toBeGreaterThan(0);
});

test.each([
  ['2001:db8::1', '2001:db8:0:0:ffff::2', true],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['::1', '::2', true],
  ['2001:db8::1:2:3:4:5', '2001:db8:0:1::', true],
  ['::1:2:3:4:5', '0:0:0:1::9', true],
  ['::1:2:3:4:5', '::2:2:3:4:5', false],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
])('%s and %s are one place: %p', (one, other, isSame) => {
  const { signIns, failMany } = setup();
  failMany(one);
  expect(signIns.blockedForMs(other, undefined) > 0).toBe(isSame);
});

test('endless addresses fill no memory, and the latest stay blocked', () => {
  const { signIns, failMany } = setup();
  for (let i = 0; i < 30_000; i += 1) {
    signIns.failed(`a${i}`);
    signIns.blockedForMs(`a${i}`, 'aaaaaaaa');
  }
  expect(signIns.size()).toBe(20_000);
  failMany('192.0.2.1');
  expect(signIns.blockedForMs('192.0.2.1', undefined)).toBeGreaterThan(0);
});

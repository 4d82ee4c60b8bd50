/** Capacity for bundles is released when webhooks are returned, and nobody waits after a stop. Takes under a second. */
import { expect, test } from '@jest/globals';
import { createBundleCapacity } from './bundle-capacity.ts';

test('a bundle may overfill, and room is there again when enough webhooks were given back', async () => {
  const capacity = createBundleCapacity(10);
  const { signal } = new AbortController();
  expect(capacity.hasRoom()).toBe(true);
  capacity.take(25);
  expect([capacity.hasRoom(), capacity.inHand()]).toEqual([false, 25]);
  let hasRoom = false;
  const waiting = capacity.untilRoom(signal).then(() => {
    hasRoom = true;
  });
  capacity.give(15);
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasRoom).toBe(false);
  capacity.give(1);
  await waiting;
  expect(capacity.inHand()).toBe(9);
});

test('who waits for room when the process stops, waits no longer', async () => {
  const capacity = createBundleCapacity(1);
  capacity.take(1);
  const stopping = new AbortController();
  const waiting = capacity.untilRoom(stopping.signal);
  stopping.abort();
  await waiting;
  expect(capacity.hasRoom()).toBe(false);
});

/**
 * What is in hand is bounded in webhooks and in bytes, and its room is there again when webhooks and jobs end.
 * Takes under a second.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bodyBytesMaxOf, createBundleCapacity, type JobInHand } from './bundle-capacity.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();

test('a bundle may overfill, and room is there again when enough of its webhooks have ended', async () => {
  const capacity = createBundleCapacity({ webhooksMax: 10, bytesMax: MIB });
  expect(capacity.hasRoom()).toBe(true);
  const job = capacity.take({ webhooks: 25, bytes: 0 });
  expect([capacity.hasRoom(), capacity.inHand()]).toEqual([false, 25]);
  let hasRoom = false;
  const waiting = capacity.untilRoom(signal).then(() => {
    hasRoom = true;
  });
  job.settled(15);
  await new Promise((resolve) => setImmediate(resolve));
  expect(hasRoom).toBe(false);
  job.settled(1);
  await waiting;
  expect(capacity.inHand()).toBe(9);
});

test('the bytes of a job are in hand until the job has ended, whatever became of its webhooks', async () => {
  const capacity = createBundleCapacity({ webhooksMax: 100, bytesMax: 2 * MIB });
  const first = capacity.take({ webhooks: 1, bytes: MIB });
  expect(capacity.hasRoom()).toBe(true);
  const second = capacity.take({ webhooks: 1, bytes: MIB });
  expect(capacity.hasRoom()).toBe(false);
  first.settled(1);
  expect([capacity.hasRoom(), capacity.inHand(), capacity.bytesInHand()]).toEqual([false, 1, 2 * MIB]);
  const waiting = capacity.untilRoom(signal);
  first.ended();
  await waiting;
  second.ended();
  expect([capacity.inHand(), capacity.bytesInHand()]).toEqual([0, 0]);
});

test('a job that is larger than all room is taken when nothing else is in hand, and nothing beside it', () => {
  const capacity = createBundleCapacity({ webhooksMax: 100, bytesMax: MIB });
  expect(capacity.hasRoom()).toBe(true);
  const large = capacity.take({ webhooks: 1, bytes: 5 * MIB });
  expect(capacity.hasRoom()).toBe(false);
  large.ended();
  expect(capacity.hasRoom()).toBe(true);
});

test('jobs that are asked for at once share the room, and give it back when they have come', async () => {
  const capacity = createBundleCapacity({ webhooksMax: 100, bytesMax: 2 * MIB });
  const reservations = Array.from({ length: 10 }, () => capacity.reserve());
  expect(reservations.filter((one) => one !== undefined)).toHaveLength(4);
  expect([capacity.hasRoom(), capacity.inHand()]).toEqual([false, 0]);
  const waiting = capacity.untilRoom(signal);
  reservations[0]?.();
  reservations[0]?.();
  await waiting;
  expect(capacity.reserve()).toBeDefined();
  expect(capacity.reserve()).toBeUndefined();
});

test('whatever is taken, settled and ended, nothing is in hand in the end, and one job at most is too much', () => {
  const step = fc.oneof(
    fc.record({ webhooks: fc.integer({ min: 1, max: 50 }), bytes: fc.nat({ max: MIB }) }),
    fc.record({ settle: fc.nat({ max: 30 }), of: fc.nat() }),
    fc.record({ end: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const capacity = createBundleCapacity({ webhooksMax: 100, bytesMax: 4 * MIB });
      const jobs: JobInHand[] = [];
      for (const one of steps) {
        if ('bytes' in one) {
          if (capacity.hasRoom()) jobs.push(capacity.take(one));
        } else if ('settle' in one) jobs[one.of % Math.max(1, jobs.length)]?.settled(one.settle);
        else jobs.splice(one.end % Math.max(1, jobs.length), 1)[0]?.ended();
        expect(capacity.inHand()).toBeLessThan(150);
        expect(capacity.bytesInHand()).toBeLessThan(5 * MIB);
      }
      for (const job of jobs) {
        job.ended();
        job.ended();
      }
      expect([capacity.inHand(), capacity.bytesInHand()]).toEqual([0, 0]);
    }),
  );
});

test('who waits for room when the process stops, waits no longer', async () => {
  const capacity = createBundleCapacity({ webhooksMax: 1 });
  capacity.take({ webhooks: 1, bytes: 0 });
  const stopping = new AbortController();
  const waiting = capacity.untilRoom(stopping.signal);
  stopping.abort();
  await waiting;
  expect(capacity.hasRoom()).toBe(false);
});

test.each([
  ['a container of 512 MiB', 512, 256, 32],
  ['a container of 128 MiB', 128, 64, 16],
  ['a small heap on a large machine', 16_384, 400, 50],
  ['a large machine', 16_384, 4_096, 256],
])('%s: memory %s MiB, heap %s MiB, bodies %s MiB', (_name, memory, heap, bodies) => {
  expect(bodyBytesMaxOf({ memoryBytes: memory * MIB, heapBytes: heap * MIB })).toBe(bodies * MIB);
});

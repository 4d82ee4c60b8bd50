/** Small campaigns overtake large ones, within the priority that each has. Takes under a second. */
import { expect, test } from '@jest/globals';
import { CAMPAIGN_PRIORITIES } from '@hookfleet/contract';
import fc from 'fast-check';
import { queuePriority, queuePriorityMoved, SMALL_BACKLOG } from './queue-priority.ts';

const waiting = fc.integer({ min: 0, max: 5_000_000 });
const priority = fc.constantFrom(...CAMPAIGN_PRIORITIES);
const PRIORITY_LIMIT_OF_BULLMQ = 2 ** 21;

test('what has less waiting never goes after what has more, in the same priority', () => {
  fc.assert(
    fc.property(waiting, waiting, priority, fc.boolean(), (one, other, of, isRetry) => {
      const [less, more] = one < other ? [one, other] : [other, one];
      const before = queuePriority({ waiting: less, priority: of, isRetry });
      expect(before).toBeLessThanOrEqual(queuePriority({ waiting: more, priority: of, isRetry }));
      expect(Number.isInteger(before) && before >= 0 && before < PRIORITY_LIMIT_OF_BULLMQ).toBe(true);
    }),
  );
});

test('where more than a little waits, high goes before normal, and normal before low, however much each has', () => {
  fc.assert(
    fc.property(
      waiting.map((n) => n + SMALL_BACKLOG),
      waiting.map((n) => n + SMALL_BACKLOG),
      (one, other) => {
        const of = (n: number, name: (typeof CAMPAIGN_PRIORITIES)[number]) =>
          queuePriority({ waiting: n, priority: name, isRetry: false });
        expect(of(one, 'high')).toBeLessThan(of(other, 'normal'));
        expect(of(one, 'normal')).toBeLessThan(of(other, 'low'));
      },
    ),
  );
});

test('a campaign with hardly anything waiting is held up by no large one, of any priority', () => {
  const small = queuePriority({ waiting: 10, priority: 'normal', isRetry: false });
  fc.assert(
    fc.property(waiting, priority, (n, of) => {
      const large = queuePriority({ waiting: n + 2 * SMALL_BACKLOG, priority: of, isRetry: false });
      expect(small).toBeLessThan(large);
    }),
  );
});

test('a retry goes before no first attempt of its campaign', () => {
  fc.assert(
    fc.property(waiting, priority, (n, of) => {
      const first = queuePriority({ waiting: n, priority: of, isRetry: false });
      expect(queuePriority({ waiting: n, priority: of, isRetry: true })).toBeGreaterThanOrEqual(first);
    }),
  );
  expect(queuePriority({ waiting: 0, priority: 'normal', isRetry: true })).toBeGreaterThan(
    queuePriority({ waiting: 0, priority: 'normal', isRetry: false }),
  );
});

test('what waits is moved to the band of a new priority, and back to where it was', () => {
  fc.assert(
    fc.property(waiting, fc.boolean(), (n, isRetry) => {
      const normal = queuePriority({ waiting: n, priority: 'normal', isRetry });
      const low = queuePriorityMoved(normal, 'low');
      expect(low).toBe(queuePriority({ waiting: n, priority: 'low', isRetry }));
      expect(queuePriorityMoved(low, 'normal')).toBe(normal);
      const high = queuePriorityMoved(normal, 'high');
      expect(high).toBe(queuePriority({ waiting: n, priority: 'high', isRetry }));
      // High has few steps: the way back is exact to one of them.
      expect(Math.abs(queuePriorityMoved(high, 'normal') - normal)).toBeLessThanOrEqual(17);
    }),
  );
});

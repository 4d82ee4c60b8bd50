/** The soak reports memory that is not released, and ignores memory that is. Takes under a second. */
import { expect, test } from '@jest/globals';
import { processLeaks } from './find-leaks.ts';
import type { Phase, SoakSample } from './watch-fleet.ts';

/** A worker, looked at every second through a soak: its sockets, by the phase and the seconds since that began. */
function soakOf(sockets: (phase: Phase, second: number) => number): SoakSample[] {
  const phases = { 'rest before': 12, load: 30, 'rest after': 20 } as const;
  let atMs = 0;
  return Object.entries(phases).flatMap(([phase, seconds]) =>
    Array.from({ length: seconds }, (_, second) => {
      atMs += 1_000;
      const worker = {
        heapBytes: 40e6,
        externalBytes: 4e6,
        residentBytes: 100e6,
        handles: 14,
        sockets: sockets(phase as Phase, second),
        files: 20,
      };
      return {
        atMs,
        phase: phase as Phase,
        processes: { worker },
        redis: { bytes: 0, keys: 0, lastingKeys: 0 },
      };
    }),
  );
}

const leaksOf = (sockets: (phase: Phase, second: number) => number) => processLeaks(soakOf(sockets));

test('slots that fill while the load lasts, and are given back, are no leak', () => {
  expect(leaksOf((phase, second) => (phase === 'load' ? 20 + 6 * second : 7))).toEqual([]);
});

test('what is not given back is one, be it little; and what grows beyond all slots, though it is given back', () => {
  expect(
    leaksOf((phase, second) => (phase === 'load' ? 20 + second : phase === 'rest after' ? 17 : 7)),
  ).toEqual([{ where: 'worker', what: 'sockets', how: '10 more from rest to rest' }]);
  expect(leaksOf((phase, second) => (phase === 'load' ? 20 + 20 * second : 7))).toMatchObject([
    { where: 'worker', what: 'sockets', how: expect.stringContaining('more under load') },
  ]);
});

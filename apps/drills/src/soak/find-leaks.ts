/** What of a soak's samples and of its census of Redis is a leak. Pure. */
import { addedBetween, growthOf, type Sample, type Tolerance } from './find-growth.ts';
import type { Census } from './take-census.ts';
import type { Phase, SoakSample } from './watch-fleet.ts';
import type { ProcessSample } from './watch-process.ts';

/**
 * What is looked for in a process, and how much of it comes and goes by itself. `inUse`: what a worker's 200 slots take
 * more, from empty to full. A machine that others begin to use while the load lasts fills them without any leak.
 */
const WATCHED = {
  heapBytes: { absolute: 3e6, relative: 0.08, inUse: 3e6 },
  externalBytes: { absolute: 3e6, relative: 0.2, inUse: 3e6 },
  handles: { absolute: 8, relative: 0.1, inUse: 400 },
  sockets: { absolute: 8, relative: 0.1, inUse: 200 },
  files: { absolute: 4, relative: 0.1, inUse: 0 },
} as const satisfies Partial<Record<keyof ProcessSample, Tolerance & { inUse: number }>>;

export interface Leak {
  /** A process, or Redis. */
  readonly where: string;
  /** One of WATCHED, or a family of keys. */
  readonly what: string;
  readonly how: string;
}

// Connections to destinations are kept for four seconds, and Node.js looks at timers of that kind once a second or so.
const SETTLING_MS = 6_000;

/** What grew under load, at rest, or from the one rest to the other. */
export function processLeaks(samples: readonly SoakSample[]): Leak[] {
  const names = Object.keys(samples[0]?.processes ?? {});
  return names.flatMap((where) =>
    Object.entries(WATCHED).flatMap(([what, tolerance]) => {
      const of = (phase: Phase, settlingMs: number) =>
        seriesOf(samples, where, what as Watched, phase, settlingMs);
      // A third of the load is given to what fills up once.
      const loadMs = durationOf(samples, 'load');
      const [before, after] = [of('rest before', SETTLING_MS), of('rest after', SETTLING_MS)];
      const grown: [string, number][] = [
        [
          'under load',
          growthOf(of('load', loadMs / 3), {
            ...tolerance,
            absolute: tolerance.absolute + tolerance.inUse,
          }),
        ],
        ['at rest', growthOf(after, tolerance)],
        ['from rest to rest', addedBetween(before, after, tolerance)],
      ];
      return grown
        .filter(([, added]) => added > 0)
        .map(([when, added]) => ({ where, what, how: `${Math.round(added)} more ${when}` }));
    }),
  );
}

type Watched = keyof typeof WATCHED;

function durationOf(samples: readonly SoakSample[], phase: Phase): number {
  const of = samples.filter((sample) => sample.phase === phase);
  return (of.at(-1)?.atMs ?? 0) - (of[0]?.atMs ?? 0);
}

/** Without what the phase begins with. */
function seriesOf(
  samples: readonly SoakSample[],
  where: string,
  what: Watched,
  phase: Phase,
  settlingMs: number,
): Sample[] {
  const of = samples.filter((sample) => sample.phase === phase);
  const fromMs = (of[0]?.atMs ?? 0) + settlingMs;
  return of
    .filter(({ atMs }) => atMs >= fromMs)
    .map(({ atMs, processes }) => ({ atMs, value: processes[where]?.[what] ?? 0 }));
}

export function redisLeaks({ faults }: Census): Leak[] {
  return faults.map(({ family, fault, keys, example }) => ({
    where: 'Redis',
    what: family,
    how: `${example}${keys > 1 ? ` and ${keys - 1} more` : ''}: ${fault}`,
  }));
}

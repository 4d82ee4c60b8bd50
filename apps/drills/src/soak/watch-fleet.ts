/** Looks at every process of a fleet and at its Redis, every so often, and keeps what it saw. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DrillFleet, FleetProcess } from '../drill-fleet.ts';
import type { RedisMeter } from '../redis-cost.ts';
import { type ProcessSample, watchProcess } from './watch-process.ts';

export type Phase = 'warm up' | 'rest before' | 'load' | 'drain' | 'rest after';

export interface SoakSample {
  readonly atMs: number;
  readonly phase: Phase;
  /** By the process' name. */
  readonly processes: Readonly<Record<string, ProcessSample>>;
  readonly redis: { readonly bytes: number; readonly keys: number; readonly lastingKeys: number };
}

export interface Watch {
  phase(phase: Phase): void;
  /** Rejects where a process can't be looked at any more. */
  readonly failed: Promise<never>;
  stop(): Promise<SoakSample[]>;
}

export async function startWatch(fleet: DrillFleet, meter: RedisMeter, everyMs: number): Promise<Watch> {
  const names = namesOf(fleet.processes);
  const watched = await Promise.all(
    fleet.processes.map(async ({ started }, i) => ({
      name: names[i] as string,
      process: await watchProcess(started.pid, started.lines),
    })),
  );
  const samples: SoakSample[] = [];
  const stopping = new AbortController();
  const startedAtMs = performance.now();
  let phase: Phase = 'warm up';
  const ended = (async () => {
    while (!stopping.signal.aborted) {
      const [atMs, during] = [performance.now() - startedAtMs, phase];
      const processes = await Promise.all(
        watched.map(async ({ name, process }) => [name, await process.sample()] as const),
      );
      samples.push({
        atMs,
        phase: during,
        processes: Object.fromEntries(processes),
        redis: { bytes: await meter.memoryBytes(), ...(await meter.countKeys()) },
      });
      const leftMs = everyMs - (performance.now() - startedAtMs - atMs);
      await sleep(Math.max(0, leftMs), undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  const failed = ended.then(() => new Promise<never>(() => undefined));
  failed.catch(() => undefined);
  return {
    phase(next) {
      phase = next;
    },
    failed,
    async stop() {
      stopping.abort();
      await ended;
      for (const { process } of watched) process.close();
      return samples;
    },
  };
}

/** `worker 2` for the second worker; the only one of its kind has no number. */
function namesOf(processes: readonly FleetProcess[]): string[] {
  return processes.map(({ application }, i) => {
    const alike = processes.filter((one) => one.application === application);
    const nth = processes.slice(0, i + 1).filter((one) => one.application === application).length;
    return alike.length === 1 ? application : `${application} ${nth}`;
  });
}

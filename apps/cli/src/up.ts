/** `hookfleet up`: the fleet, until it is told to stop. Its data stays for the next time. */
import { resolve } from 'node:path';
import { startFleet } from './fleet.ts';
import { describeFleet, untilStopped, write } from './terminal.ts';

export interface UpOptions {
  readonly workers: number;
  readonly directory: string;
}

/** Resolves to the exit status. */
export async function up({ workers, directory }: UpOptions, environment: NodeJS.ProcessEnv): Promise<number> {
  const fleet = await startFleet({
    directory: resolve(directory),
    workers,
    environment,
    onStarted: (what, where) => write(`  ${what.padEnd(12)} ${where}`),
  });
  // Signals are handled before anybody reads how to stop it.
  const stopped = untilStopped(fleet);
  write(describeFleet(fleet));
  const broken = await stopped;
  return broken === undefined ? 0 : 1;
}

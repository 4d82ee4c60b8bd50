/** What a person sees of the fleet, and how they stop it. */
import { constants } from 'node:os';
import type { Fleet } from './fleet.ts';

export function write(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A line that is written over on a terminal; elsewhere nothing, so that logs stay short. */
export function writeProgress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${line}`);
}

/** Beside the result, which alone goes to standard output. */
export function writeNote(line: string): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  process.stderr.write(`${line}\n`);
}

export function describeFleet({ producerUrl, aggregatorUrl, logDirectory, variables }: Fleet): string {
  return [
    '',
    `  webhooks go in   ${producerUrl}/v1/webhooks      (${producerUrl}/docs)`,
    `  numbers come out ${aggregatorUrl}/v1/campaigns     (${aggregatorUrl}/docs)`,
    `  dashboard        ${aggregatorUrl}/`,
    `  logs             ${logDirectory}`,
    ...(variables.length === 0
      ? []
      : ['', `  The usual ports are in use. Other commands need: export ${variables.join(' ')}`]),
    '',
    '  Ctrl-C drains and stops the fleet.',
  ].join('\n');
}

// SIGHUP: its terminal is closed.
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Waits for SIGINT, SIGTERM or SIGHUP, or for a process of the fleet to end, then stops the fleet. Resolves to what broke,
 * where something did. A second signal leaves at once: the processes then drain by themselves.
 */
export async function untilStopped(fleet: Fleet): Promise<string | undefined> {
  const { promise: signalled, resolve } = Promise.withResolvers<undefined>();
  const onSignal = () => resolve(undefined);
  for (const signal of STOP_SIGNALS) process.once(signal, onSignal);
  // What is written to a terminal that is closed fails, and the fleet must be stopped all the same.
  process.stdout.on('error', () => undefined);
  const broken = await Promise.race([signalled, fleet.broken]);
  if (broken !== undefined) write(`${broken}: stopping the fleet. Its log is in ${fleet.logDirectory}`);
  for (const signal of STOP_SIGNALS)
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  write('stopping …');
  await fleet.stop();
  return broken;
}

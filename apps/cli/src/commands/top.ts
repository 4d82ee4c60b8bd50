/** `hookfleet top`: the fleet, live in the terminal. Elsewhere a screen of text now and then, as JSON one a line. */
import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from '../api.ts';
import { type CommandContext, type FleetOptions, openFleet, withFleetOptions } from '../command-context.ts';
import { EXIT, UnreachableError } from '../exit-status.ts';
import { type FleetView, fleetScreen } from '../fleet-screen.ts';
import { openLiveScreen } from '../live-screen.ts';
import { untilSignalled } from '../signals.ts';
import { bad, faint } from '../style.ts';
import { write } from '../terminal.ts';
import { parseDuration, parsePositiveInteger } from './flag-values.ts';

interface TopOptions extends FleetOptions {
  readonly interval: number;
  readonly count: number;
}

const INTERVAL_MS = 1_000;

export function addTop(program: Command, { environment, end }: CommandContext): void {
  withFleetOptions(program.command('top'))
    .description('workers, queues, and where webhooks wait, live; q or Ctrl-C quits')
    .option('--interval <time>', 'between two looks', parseDuration, INTERVAL_MS)
    .option('--count <n>', 'quit after so many looks', parsePositiveInteger, Number.POSITIVE_INFINITY)
    .action(async (options: TopOptions) => {
      const { aggregator, json } = openFleet(options, environment);
      if (!json && process.stdout.isTTY) await showLive(aggregator, options);
      else await print(aggregator, options, json);
      return end(EXIT.done);
    });
}

async function print(aggregator: Api, { interval, count }: TopOptions, json: boolean): Promise<void> {
  const signalled = untilSignalled().then(() => true);
  for (let looks = 1; ; looks += 1) {
    const fleet = await aggregator.get<FleetView>('/v1/fleet');
    write(json ? JSON.stringify(fleet) : `${fleetScreen(fleet, Number.POSITIVE_INFINITY).join('\n')}\n`);
    if (looks >= count || (await Promise.race([signalled, sleep(interval, false)]))) return;
  }
}

/** An aggregator that goes away is waited for: the numbers before it stay, and say that they are old. */
async function showLive(aggregator: Api, { interval, count }: TopOptions): Promise<void> {
  // A first look before the screen changes: an address that is wrong is told as everywhere.
  let fleet = await aggregator.get<FleetView>('/v1/fleet');
  let fault: string | undefined;
  const screen = openLiveScreen();
  try {
    const quit = Promise.race([screen.quit, untilSignalled()]).then(() => true);
    for (let looks = 1; ; looks += 1) {
      const head = `hookfleet  ${aggregator.url}  ${new Date().toISOString().slice(11, 19)}`;
      const note = fault === undefined ? faint('q quits') : bad(fault);
      screen.draw([`${head}  ${note}`, '', ...fleetScreen(fleet, screen.rows() - 2)]);
      if (looks >= count || (await Promise.race([quit, sleep(interval, false)]))) return;
      try {
        fleet = await aggregator.get<FleetView>('/v1/fleet');
        fault = undefined;
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        fault = 'the aggregator does not answer: these numbers are old';
      }
    }
  } finally {
    screen.close();
  }
}

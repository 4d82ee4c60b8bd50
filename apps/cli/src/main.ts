/** `hookfleet`: the command line. Commands that talk to a fleet are in commands/, one a file. */
import { VERSION } from '@hookfleet/runtime/version';
import { Command, CommanderError } from 'commander';
import type { CommandContext } from './command-context.ts';
import { addCampaign } from './commands/campaign.ts';
import { addChannels } from './commands/channels.ts';
import { addCompletion } from './commands/completion.ts';
import { addDoctor } from './commands/doctor.ts';
import { addEnqueue } from './commands/enqueue.ts';
import { addEvents } from './commands/events.ts';
import { addFailures } from './commands/failures.ts';
import { addListen } from './commands/listen.ts';
import { parsePositiveInteger } from './commands/flag-values.ts';
import { addReplay } from './commands/replay.ts';
import { addSend } from './commands/send.ts';
import { addStats } from './commands/stats.ts';
import { addTop } from './commands/top.ts';
import { describeError, EXIT, exitStatusOf } from './exit-status.ts';

// What only some commands need (BullMQ, the sample's payloads) is loaded by these: the others start in half the time.

// Whoever reads our output may stop to: `hookfleet failures … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  end(EXIT.done);
});

const program = new Command('hookfleet')
  .description('Delivers campaign webhooks, and keeps their numbers right')
  .version(VERSION)
  .exitOverride();

program
  .command('up')
  .description('run the fleet on this machine; its data is kept between runs')
  .option('--workers <n>', 'worker processes', parsePositiveInteger, 2)
  .option('--directory <path>', 'where data and logs are kept', '.hookfleet')
  .action(async (options) => {
    const { up } = await import('./up.ts');
    return end(await up(options, process.env));
  });

program
  .command('demo')
  .description('run the fleet with a sample campaign against a local receiver, and compare the counts')
  .option('--workers <n>', 'worker processes', parsePositiveInteger, 2)
  .option('--webhooks <n>', 'webhooks of the sample campaign', parsePositiveInteger)
  .option('--short', 'a small campaign of 1,000 webhooks', false)
  .option('--exit', 'leave when done: with status 0, or 1 where the counts differ', false)
  .option('--json', 'write the result as JSON, on the last line of standard output', false)
  .action(async (options) => {
    const { demo } = await import('./demo.ts');
    return end(await demo(options, process.env));
  });

const context: CommandContext = { environment: process.env, end };
for (const add of [
  addSend,
  addEnqueue,
  addStats,
  addFailures,
  addReplay,
  addChannels,
  addCampaign,
  addEvents,
  addListen,
  addTop,
  addDoctor,
  addCompletion,
])
  add(program, context);

try {
  await program.parseAsync();
} catch (error) {
  // Commander has told what is wrong with the command line; its help is no error.
  if (error instanceof CommanderError) end(error.exitCode === 0 ? EXIT.done : EXIT.usage);
  process.stderr.write(`${describeError(error, process.argv.includes('--json'))}\n`);
  end(exitStatusOf(error));
}

function end(status: number): void {
  process.exit(status);
}

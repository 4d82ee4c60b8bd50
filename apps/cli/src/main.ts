/** `hookfleet`: the command line. `up` runs the fleet on this machine, `demo` shows it at work. */
import { Command, InvalidArgumentError } from 'commander';
import { demo } from './demo.ts';
import { up } from './up.ts';

const program = new Command('hookfleet').description(
  'Delivers campaign webhooks, and keeps their numbers right',
);

program
  .command('up')
  .description('run the fleet on this machine; its data is kept between runs')
  .option('--workers <n>', 'worker processes', positiveInteger, 2)
  .option('--directory <path>', 'where data and logs are kept', '.hookfleet')
  .action(async (options) => end(await up(options, process.env)));

program
  .command('demo')
  .description('run the fleet with a sample campaign against a local receiver, and compare the counts')
  .option('--workers <n>', 'worker processes', positiveInteger, 2)
  .option('--webhooks <n>', 'webhooks of the sample campaign', positiveInteger)
  .option('--short', 'a small campaign of 1,000 webhooks', false)
  .option('--exit', 'leave when done: with status 0, or 1 where the counts differ', false)
  .option('--json', 'write the result as JSON, on the last line of standard output', false)
  .action(async (options) => end(await demo(options, process.env)));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`hookfleet: ${(error as Error).message}\n`);
  end(1);
}

function end(status: number): void {
  process.exit(status);
}

function positiveInteger(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('a whole number from 1 on is needed');
  return number;
}

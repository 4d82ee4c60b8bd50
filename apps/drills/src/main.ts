/** Programs that measure the fleet and break it: each a command. */
import { Command } from 'commander';
import { measureNeighbours } from './neighbours.ts';

const program = new Command('drills').description('Measures the fleet, and breaks it');

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

program
  .command('neighbours')
  .description('latency of twenty destinations, alone and beside one that hangs')
  .option('--short', 'a few seconds, for its shape')
  .option('--json', 'end with one line of JSON')
  .action(async ({ short = false, json = false }: { short?: boolean; json?: boolean }) => {
    const report = await measureNeighbours(
      short
        ? { destinations: 20, webhooksPerSecond: 200, seconds: 3, hanging: 1_000, rounds: 1 }
        : { destinations: 20, webhooksPerSecond: 400, seconds: 15, hanging: 10_000, rounds: 3 },
    );
    const row = (name: string, { p50, p99, max }: typeof report.alone) =>
      print(`  ${name.padEnd(32)}${[p50, p99, max].map((ms) => String(ms).padStart(9)).join('')}`);
    print(`\n  from accepted to arrived, ms           p50      p99      max`);
    row('twenty destinations', report.alone);
    row('beside one that hangs', report.besideHanging);
    print(`\n  p99 beside it is ${report.ratio} times what it is without.\n`);
    if (json) print(JSON.stringify(report));
  });

await program.parseAsync();

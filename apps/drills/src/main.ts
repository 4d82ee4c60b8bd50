/** Programs that measure the fleet and break it: each a command. */
import { mkdir, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { benchChart, benchTable } from './bench/draw-bench.ts';
import { runBench } from './bench/run-bench.ts';
import { measureLimits } from './limits.ts';
import { measureNeighbours } from './neighbours.ts';

const program = new Command('drills').description('Measures the fleet, and breaks it');

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const BENCH_DIRECTORY = '.hookfleet/bench';

program
  .command('bench')
  .description('what the fleet does in a second, beside what bare parts do')
  .option('--short', 'a minute or so, for its shape')
  .option('--json', 'end with one line of JSON')
  .action(async ({ short = false, json = false }: { short?: boolean; json?: boolean }) => {
    const size = short
      ? { rounds: 1, single: 1_000, many: 10_000, delivered: 3_000, outcomes: 10_000, latencySeconds: 2 }
      : { rounds: 3, single: 5_000, many: 100_000, delivered: 20_000, outcomes: 200_000, latencySeconds: 10 };
    const report = await runBench({
      ...size,
      backlog: short ? undefined : 1_000_000,
      onProgress: (what) => process.stderr.write(`  ${what}\n`),
    });
    print(`\n${benchTable(report.figures)}\n`);
    print(`  ${JSON.stringify(report.ratios)}\n`);
    await mkdir(BENCH_DIRECTORY, { recursive: true });
    await writeFile(`${BENCH_DIRECTORY}/bench.json`, JSON.stringify(report, undefined, 2));
    await writeFile(`${BENCH_DIRECTORY}/bench.svg`, benchChart(report.figures));
    print(`  also in ${BENCH_DIRECTORY}: bench.json, bench.svg\n`);
    const { figures: _figures, ...summary } = report;
    if (json) print(JSON.stringify(summary));
  });

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

program
  .command('limits')
  .description('what a limited channel costs Redis, with few and with very many webhooks waiting')
  .option('--short', 'a few seconds, for its shape')
  .option('--json', 'end with one line of JSON')
  .action(async ({ short = false, json = false }: { short?: boolean; json?: boolean }) => {
    const rows = await measureLimits(
      short
        ? { perSecond: 200, seconds: 3, backlogs: [200, 2_000] }
        : { perSecond: 500, seconds: 60, backlogs: [2_000, 100_000] },
    );
    print(
      `\n  ${''.padEnd(22)}   waiting  a second   strayed   scripts     calls  CPU µs   of Redis, a webhook`,
    );
    for (const { name, backlog, perSecond, strayed, scripts, calls, cpuMicros } of rows) {
      const cells = [
        backlog,
        perSecond,
        strayed === undefined ? '' : `${(strayed * 100).toFixed(1)} %`,
        scripts,
        calls,
        cpuMicros,
      ];
      print(`  ${name.padEnd(22)}${cells.map((cell) => String(cell).padStart(10)).join('')}`);
    }
    print('');
    if (json) print(JSON.stringify({ rows }));
  });

await program.parseAsync();

/** Programs that measure the fleet and break it: each a command. */
import { randomInt } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { benchChart, benchTable } from './bench/draw-bench.ts';
import { profileTable } from './bench/draw-profile.ts';
import { chosenBy } from './bench/measurements.ts';
import { runBench } from './bench/run-bench.ts';
import { chaosTable } from './chaos/draw-chaos.ts';
import type { LoadReport } from './chaos/load-and-reckon.ts';
import { CHAOS_SHORT, chaosOf, runChaos } from './chaos/run-chaos.ts';
import { failoverTable } from './failover/draw-failovers.ts';
import {
  FAILOVER_LONG,
  FAILOVER_SHORT,
  type FailoverSettings,
  REDIS_FORMS,
  runFailovers,
} from './failover/run-failovers.ts';
import { measureLimits } from './limits.ts';
import { failureLine, failureText } from './model/failure-text.ts';
import { runModel } from './model/run-model.ts';
import { parseStory } from './model/story.ts';
import { measureNeighbours } from './neighbours.ts';
import {
  EARLIER_VERSION,
  ROLLING_LONG,
  ROLLING_SHORT,
  type RollingReport,
  runRolling,
} from './rolling/run-rolling.ts';
import { VersionMissingError } from './rolling/check-out-version.ts';
import { soakChart, soakTable } from './soak/draw-soak.ts';
import { runSoak, SOAK_LONG, SOAK_SHORT } from './soak/run-soak.ts';

const program = new Command('drills').description('Measures the fleet, and breaks it');

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function parseNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('a whole number of at most nine digits');
  return Number(text);
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('a whole number from 1 on');
  return Number(text);
}

function parseReplicas(text: string): number {
  if (text !== '0' && text !== '1') throw new InvalidArgumentError('0 or 1: there is one replica');
  return Number(text);
}

const BENCH_DIRECTORY = '.hookfleet/bench';

const SHORT_SIZE = {
  single: 500,
  many: 5_000,
  delivered: 1_500,
  outcomes: 5_000,
  latencySeconds: 2,
  distantSeconds: 2,
  backlog: { few: 1_000, many: 20_000 },
};
const FULL_SIZE = {
  single: 5_000,
  many: 100_000,
  delivered: 20_000,
  outcomes: 200_000,
  latencySeconds: 10,
  distantSeconds: 6,
  backlog: { few: 1_000, many: 1_000_000 },
};

program
  .command('bench')
  .description('what the fleet does in a second, beside what bare parts do')
  .option('--short', 'a minute or so, for its shape')
  .option('--json', 'end with one line of JSON')
  .option('--rounds <count>', 'how often each is measured (3, or 1 where it is short)', parseCount)
  .option(
    '--only <words...>',
    'those alone that have all of some words: deliver,got,bulk (and on demand profile,bulk: where the time of Redis goes; cluster: what shards cost)',
  )
  .action(async ({ short = false, json = false, rounds, only = [] }: BenchCommandOptions) => {
    const measurements = chosenBy(only.map((words) => words.split(',')));
    if (measurements.length === 0)
      program.error(
        `error: option '--only <words...>': no measurement has all the words of ${only.join(' ')}`,
      );
    const report = await runBench({
      rounds: rounds ?? (short ? 1 : 3),
      size: short ? SHORT_SIZE : FULL_SIZE,
      measurements,
      onProgress: (what) => process.stderr.write(`  ${what}\n`),
    });
    print(`\n${benchTable(report.figures)}\n`);
    for (const profile of report.profiles) print(`${profileTable(profile)}\n`);
    print(`  ${JSON.stringify(report.ratios)}\n`);
    await mkdir(BENCH_DIRECTORY, { recursive: true });
    await writeFile(`${BENCH_DIRECTORY}/bench.json`, JSON.stringify(report, undefined, 2));
    await writeFile(`${BENCH_DIRECTORY}/bench.svg`, benchChart(report.figures));
    print(`  also in ${BENCH_DIRECTORY}: bench.json, bench.svg\n`);
    const { figures: _figures, profiles: _profiles, ...summary } = report;
    if (json) print(JSON.stringify(summary));
  });

interface BenchCommandOptions {
  readonly short?: boolean;
  readonly json?: boolean;
  readonly rounds?: number;
  readonly only?: readonly string[];
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

const EVIDENCE_SHOWN = 20;

function printReport(report: LoadReport): void {
  print(`\n${chaosTable(report)}\n`);
  printEvidence(report.evidence);
}

function printEvidence(evidence: readonly string[]): void {
  for (const line of evidence.slice(0, EVIDENCE_SHOWN)) print(`  ${line}`);
}

function printProgress(text: string): void {
  // As the processes' logs and the evidence tell the time.
  print(`  ${new Date().toISOString()} ${text}`);
}

interface ChaosCommandOptions {
  short?: boolean;
  json?: boolean;
  seed?: number;
  webhooks: number;
}

program
  .command('chaos')
  .description('kills processes and Redis, cuts networks, moves clocks, under load; then reckons')
  .option('--short', 'each fault once, with 3,000 webhooks instead of 100,000: less than a minute')
  .option('--json', 'end with one line of JSON')
  .option('--seed <number>', 'the same plan of faults again; what it meets may differ', parseNumber)
  .option('--webhooks <number>', 'the size of the long form; faults grow with it', parseCount, 100_000)
  .action(
    async ({ short = false, json = false, seed = randomInt(1_000_000), webhooks }: ChaosCommandOptions) => {
      print(`\n  seed ${seed}\n`);
      const report = await runChaos({
        seed,
        ...(short ? CHAOS_SHORT : chaosOf(webhooks)),
        onProgress: printProgress,
      });
      printReport(report);
      if (!report.isKept) print(`  A promise is broken. The same plan again: --seed ${seed}\n`);
      if (json) print(JSON.stringify({ seed, ...report.reckoning }));
      process.exitCode = report.isKept ? 0 : 1;
    },
  );

interface FailoverCommandOptions {
  short?: boolean;
  json?: boolean;
  seed?: number;
  redis: FailoverSettings['redis'];
  waitReplicas: number;
  minReplicas: number;
}

program
  .command('failover')
  .description('a master of Redis that fails under load, a replica in its place; what that loses')
  .addOption(
    new Option('--redis <form>', 'who puts the replica in its place')
      .choices(REDIS_FORMS)
      .default('sentinel'),
  )
  .option('--short', 'each way to fail once, instead of five times')
  .option('--json', 'end with one line of JSON')
  .option('--seed <number>', 'the same plan again; what it meets may differ', parseNumber)
  .option('--wait-replicas <number>', "the fleet's HOOKFLEET_WAIT_REPLICAS", parseReplicas, 0)
  .option('--min-replicas <number>', "Redis' min-replicas-to-write", parseReplicas, 0)
  .action(
    async ({
      short = false,
      json = false,
      seed = randomInt(1_000_000),
      ...settings
    }: FailoverCommandOptions) => {
      print(`\n  seed ${seed}\n`);
      const report = await runFailovers({
        seed,
        ...settings,
        ...(short ? FAILOVER_SHORT : FAILOVER_LONG),
        onProgress: printProgress,
      });
      print(`\n${failoverTable(report, settings)}\n`);
      printEvidence(report.evidence);
      const { reckoning, audited, faults, longestRefusalMs, slowestRefusalMs } = report;
      const { off, unlogged } = audited;
      const others = { off, unlogged, faults, longestRefusalMs, slowestRefusalMs };
      if (json) print(JSON.stringify({ seed, ...settings, ...reckoning, ...others }));
      process.exitCode = report.isKept ? 0 : 1;
    },
  );

interface RollingCommandOptions {
  from: string;
  short?: boolean;
  json?: boolean;
  ifPossible?: boolean;
}

program
  .command('rolling')
  .description(
    'replaces a fleet under load by this version, process by process, and takes it back; then reckons',
  )
  .option('--from <ref>', 'the earlier version: a commit, tag or branch of this clone', EARLIER_VERSION)
  .option('--short', 'up and back once, under a gentle load')
  .option('--json', 'end with one line of JSON')
  .option('--if-possible', 'end with 0 where this clone does not hold the earlier version')
  .action(async ({ from, short = false, json = false, ifPossible = false }: RollingCommandOptions) => {
    let report: RollingReport;
    try {
      report = await runRolling({
        from,
        ...(short ? ROLLING_SHORT : ROLLING_LONG),
        onProgress: printProgress,
      });
    } catch (error) {
      if (!(error instanceof VersionMissingError)) throw error;
      print(`  not done: ${error.message}`);
      process.exitCode = ifPossible ? 0 : 1;
      return;
    }
    printReport(report);
    const { reckoning, stopped, uncleanEnds } = report;
    if (json) print(JSON.stringify({ from: report.from, ...reckoning, replaced: stopped, uncleanEnds }));
    process.exitCode = report.isKept ? 0 : 1;
  });

const MODEL_DIRECTORY = '.hookfleet/model';

interface ModelCommandOptions {
  short?: boolean;
  json?: boolean;
  shrink: boolean;
  seed?: number;
  seeds: number;
  client: 'got' | 'undici';
  redis: 'single' | 'cluster';
  slack: number;
  story?: string;
}

program
  .command('model')
  .description('random stories of pauses, cancels, limits and kills on a fleet, each held against a model')
  .option('--short', 'stories with fewer steps, and fewer tries to shorten one that fails')
  .option('--json', 'end with one line of JSON')
  .option('--seed <number>', 'the first story; its operations are the same each time', parseNumber)
  .option('--seeds <count>', 'number of stories, run one after the other', parseCount, 1)
  .addOption(
    new Option('--client <name>', "the workers' HTTP client").choices(['got', 'undici']).default('got'),
  )
  .addOption(
    new Option('--redis <kind>', 'one Redis, or three masters')
      .choices(['single', 'cluster'])
      .default('single'),
  )
  .option('--slack <ms>', "added to the oracle's tolerances, on a busy machine", parseNumber, 0)
  .option('--story <file>', 'run this story instead: a file that a failed run wrote')
  .option('--no-shrink', 'report a story that fails as it is')
  .action(async ({ short = false, json = false, seed, story: file, ...options }: ModelCommandOptions) => {
    const story = file === undefined ? undefined : parseStory(await readFile(file, 'utf8'));
    const first = story?.seed ?? seed ?? randomInt(1_000_000);
    print(`\n  seed ${first}\n`);
    const report = await runModel({
      seed: first,
      seeds: options.seeds,
      isShort: short,
      shrinks: options.shrink && story === undefined,
      client: options.client,
      redis: options.redis,
      slackMs: options.slack,
      ...(story !== undefined && { story }),
      onProgress: printProgress,
    });
    const { seeds, operations, webhooks, failures } = report;
    if (failures.length > 0) await mkdir(MODEL_DIRECTORY, { recursive: true });
    for (const failure of failures) {
      const path = `${MODEL_DIRECTORY}/seed-${failure.seed}-${failure.promise}.json`;
      await writeFile(path, JSON.stringify(failure.story, undefined, 2));
      const isFirst = failures.find(({ promise }) => promise === failure.promise) === failure;
      print(
        isFirst ? `\n${failureText(failure)}\n  The same story again: --story ${path}` : failureLine(failure),
      );
    }
    print(
      `\n  ${seeds} stories, ${operations} operations, ${webhooks} webhooks, ${report.seconds} s: ${failures.length === 0 ? 'every promise is kept' : `${failures.length} broken promises`}\n`,
    );
    if (json) {
      const told = failures.map((failure) => ({
        seed: failure.seed,
        promise: failure.promise,
        story: failure.story,
      }));
      print(JSON.stringify({ seeds, operations, webhooks, failures: told }));
    }
    process.exitCode = failures.length === 0 ? 0 : 1;
  });

const SOAK_DIRECTORY = '.hookfleet/soak';

program
  .command('soak')
  .description('full load and rest, and whether anything grows: half an hour')
  .option('--short', 'two minutes')
  .option('--json', 'end with one line of JSON')
  .action(async ({ short = false, json = false }: { short?: boolean; json?: boolean }) => {
    const report = await runSoak({
      ...(short ? SOAK_SHORT : SOAK_LONG),
      onProgress: (what) => process.stderr.write(`  ${what}\n`),
    });
    const { samples: _samples, census: _census, ...summary } = report;
    print(`\n${soakTable(report)}\n`);
    for (const { where, what, how } of report.leaks) print(`  grows: ${where}, ${what}: ${how}`);
    if (report.leaks.length === 0) print('  Nothing grows.');
    await mkdir(SOAK_DIRECTORY, { recursive: true });
    await writeFile(`${SOAK_DIRECTORY}/soak.json`, JSON.stringify(report));
    await writeFile(`${SOAK_DIRECTORY}/soak.svg`, soakChart(report));
    print(`  also in ${SOAK_DIRECTORY}: soak.json, soak.svg\n`);
    if (json) print(JSON.stringify(summary));
    if (report.leaks.length > 0) process.exitCode = 1;
  });

// What a drill has started or written down for itself ends with this process, whatever ends it: testkit sees to that.
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => process.exit(128 + constants.signals[signal]));

await program.parseAsync();

/**
 * `npx -y pnpm release-check`: what is too long for the gate, or needs a network. Run it before a release, and before an
 * issue that touches delivery is closed. Each step is a command; one that fails doesn't keep the others from running.
 * `--only word` runs the steps whose name has the word. `--long` takes the long form of each drill.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const JEST = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  'node_modules/jest/bin/jest.js',
];
// Under `pnpm release-check` this is that pnpm.
const PNPM = process.env['npm_execpath'] ?? 'pnpm';

const node = (...args: string[]) => [process.execPath, ...args];
const drill = (...args: string[]) => node('apps/drills/src/main.ts', ...args);

const { values } = parseArgs({
  options: { only: { type: 'string' }, long: { type: 'boolean', default: false } },
});
const { only, long } = values;
const shortOrLong = long ? [] : ['--short'];

const STEPS: readonly Step[] = [
  { name: 'audit', command: [PNPM, 'audit', '--audit-level', 'high'] },
  {
    name: 'long tests',
    command: node(...JEST, '--testPathIgnorePatterns=/node_modules/', '--testPathPatterns=/release-check/'),
  },
  {
    name: 'properties with a random seed',
    command: node(...JEST, '--testPathPatterns=/src/'),
    environment: { FAST_CHECK_SEED: 'random' },
  },
  {
    // Shows its score and what survived.
    name: 'mutation score',
    command: node(
      'apps/drills/node_modules/@stryker-mutator/core/bin/stryker.js',
      'run',
      'apps/drills/src/release-check/mutation/stryker.config.mjs',
    ),
  },
  ...[2, 3].map((seed) => ({
    name: `chaos, seed ${seed}`,
    command: drill('chaos', '--webhooks', long ? '100000' : '20000', '--seed', String(seed)),
  })),
  ...[
    ['0', '0'],
    ['0', '1'],
    ['1', '0'],
    ['1', '1'],
  ].map(([waited = '', needed = '']) => ({
    name: `failover, wait ${waited}, min ${needed}`,
    command: drill(
      'failover',
      ...shortOrLong,
      '--seed',
      '2',
      '--wait-replicas',
      waited,
      '--min-replicas',
      needed,
    ),
  })),
  {
    name: 'failover in a cluster, wait 1',
    command: drill('failover', ...shortOrLong, '--seed', '2', '--redis', 'cluster', '--wait-replicas', '1'),
  },
  ...[
    ['got', 'single'],
    ['undici', 'cluster'],
  ].map(([client = '', redis = '']) => ({
    name: `model, ${client}, ${redis}`,
    command: drill(
      'model',
      '--seed',
      '100',
      '--seeds',
      long ? '200' : '50',
      '--client',
      client,
      '--redis',
      redis,
    ),
  })),
  { name: 'rolling upgrade', command: drill('rolling', ...shortOrLong, '--if-possible') },
  { name: 'soak', command: drill('soak', ...shortOrLong) },
  { name: 'neighbours', command: drill('neighbours') },
];

interface Result {
  readonly name: string;
  readonly status: number | null;
  readonly seconds: number;
}

const steps = STEPS.filter(({ name }) => only === undefined || name.includes(only));
if (steps.length === 0) {
  process.stderr.write(
    `--only ${only}: no step has it. Steps: ${STEPS.map(({ name }) => name).join('; ')}\n`,
  );
  process.exit(2);
}

const results: Result[] = [];
for (const { name, command, environment = {} } of steps) {
  process.stdout.write(`\n== ${name}: ${command.join(' ')}\n`);
  const [program = '', ...args] = command;
  const startedAt = performance.now();
  const child = spawn(program, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  const [status] = (await once(child, 'close')) as [number | null];
  results.push({ name, status, seconds: Math.round((performance.now() - startedAt) / 1_000) });
}

process.stdout.write('\n');
for (const { name, status, seconds } of results)
  process.stdout.write(
    `  ${status === 0 ? 'passed' : 'FAILED'}  ${String(seconds).padStart(5)} s  ${name}\n`,
  );
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;

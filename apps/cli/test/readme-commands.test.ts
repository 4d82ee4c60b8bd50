/** The command line's README, run as it is written, against a real fleet. Takes about 11 s. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually, freePort, processEnvironment } from '@hookfleet/testkit';
import { type FleetUnderTest, startFleet, totalsOf } from './fleet-under-test.ts';
import { COMMAND, runCommand } from './run-command.ts';

jest.setTimeout(120_000);

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

let fleet: FleetUnderTest;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hookfleet-readme-'));
  fleet = await startFleet();
});

afterAll(async () => {
  await fleet.stop();
  await rm(directory, { recursive: true });
});

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '');
const environment = () => ({
  HOOKFLEET_EGRESS_ALLOW: '127.0.0.0/8',
  HOOKFLEET_PRODUCER_URL: fleet.producer.url,
  HOOKFLEET_AGGREGATOR_URL: fleet.aggregator.url,
  REDIS_URL: fleet.redisUrl,
});

test('its commands run as they are written, one after the other, and do what they say', async () => {
  const [start, rest = ''] = blocks;
  expect(start).toMatch(/^HOOKFLEET_EGRESS_ALLOW=127\.0\.0\.0\/8 npx -y pnpm start\n$/);
  // What npx and pnpm do with it, without the seconds that they take for it.
  const npx = join(directory, 'npx');
  await writeFile(npx, `#!/bin/sh\nshift 3\nexec '${process.execPath}' '${COMMAND}' "$@"\n`);
  await chmod(npx, 0o755);
  // Another test, or a person, may have the receiver's port. The receiver is there before anything is sent to it.
  const port = String(await freePort());
  const script = rest
    .replaceAll('8090', port)
    .replace(
      /listen (.*) &\n/,
      (_line, flags) =>
        `listen ${flags} --port ${port} > listen.log 2>&1 &\nlistener=$!\nuntil grep -q Listening listen.log; do sleep 0.1; done\n`,
    );
  const child = spawn(
    'bash',
    ['-eu', '-o', 'pipefail', '-c', `trap 'kill $listener; wait' EXIT\n${script}`],
    {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...processEnvironment(), PATH: `${directory}:${process.env['PATH']}`, ...environment() },
    },
  );
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
  expect(stdout).toMatch(/^delivered$/m);
  expect(stdout).toMatch(/^3 webhooks enqueued/m);
  expect(stdout).toMatch(/messages accepted/);
  await eventually(async () =>
    expect(await totalsOf(fleet.aggregator, 'spring-sale')).toMatchObject({
      messages: { accepted: 4, delivered: 4 },
      events: { 'whatsapp.read': 1 },
    }),
  );
  const received = await readFile(join(directory, 'listen.log'), 'utf8');
  // A test, one webhook, and the file's three: all of them signed.
  expect(received.match(/^POST \/hook .* ✓ v1$/gm)).toHaveLength(5);
}, 120_000);

test('every command of ours is shown', async () => {
  const { stdout } = await runCommand(['--help']);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, name]) => name);
  expect(commands.length).toBeGreaterThan(10);
  const shown = (name = '') => readme.includes(`pnpm hookfleet ${name} `);
  // The two that have words of their own at the root, and commander's.
  expect(commands.filter((name) => !shown(name))).toEqual(['up', 'demo', 'help']);
});

test('pnpm hookfleet is this command', async () => {
  const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(join(ROOT, (scripts['hookfleet'] ?? '').replace(/^node /, ''))).toBe(COMMAND);
});

test('the table of variables is what --help says', async () => {
  const { stdout } = await runCommand(['stats', '--help'], { environment: { COLUMNS: '200' } });
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| `(--[a-z]+)` \| (.*) \|$/gm)];
  expect(rows).toHaveLength(3);
  const help = stdout.replaceAll(/\s+/g, ' ');
  expect(new Set(rows.map(([, variable]) => variable))).toEqual(new Set(help.match(/HOOKFLEET_[A-Z_]+/g)));
  for (const [, variable = '', flag = '', fallback = ''] of rows) {
    expect(help).toContain(flag);
    expect(help).toContain(variable);
    if (fallback.startsWith('http')) expect(help).toContain(`${variable}, or ${fallback}`);
  }
});

test("bash's completion offers commands, then theirs, then flags", async () => {
  const file = join(directory, 'completion.bash');
  await writeFile(file, (await runCommand(['completion', 'bash'])).stdout);
  const offered = async (...words: string[]) => {
    const { stdout } = await promisify(execFile)('bash', [
      '-c',
      `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hookfleet; echo "\${COMPREPLY[*]}"`,
      'bash',
      file,
      ...words,
    ]);
    return stdout.trim().split(' ');
  };
  expect(await offered('hookfleet', 'st')).toEqual(['stats']);
  expect(await offered('hookfleet', 'channels', 'pa')).toEqual(['pause']);
  expect(await offered('hookfleet', 'channels', '--json', 'put', '--pro')).toEqual(['--producer']);
  expect(await offered('hookfleet', 'failures', 'channels', '--rea')).toEqual(['--reason']);
  for (const shell of ['zsh', 'fish'])
    expect((await runCommand(['completion', shell])).stdout).toContain('channels');
  expect(await runCommand(['completion', 'tcsh'])).toMatchObject({ status: 2 });
});

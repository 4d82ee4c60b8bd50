/**
 * A drill that is stopped or killed leaves none of its processes and no directory behind. Linux shows what belongs to it:
 * its process group, its environment, and the directory that a process works in (Redis overwrites the other two).
 * Takes about 13 s.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually, processEnvironment } from '@hookfleet/testkit';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const START_TIMEOUT_MS = 120_000;
const GONE_WITHIN_MS = 60_000;

/** The drill makes its directories in it. */
let directory: string;
let drill: ChildProcess;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hookfleet-interrupted-'));
});

afterEach(async () => {
  for (const pid of await processesOfDrill()) process.kill(pid, 'SIGKILL');
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
});

/** Resolves when the drill is in the middle of its work: it has printed so, and has that many processes. */
async function startDrill({ args, inTheMiddle, processes }: Drill): Promise<void> {
  drill = spawn(process.execPath, [MAIN, ...args], {
    detached: true,
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...processEnvironment(), TMPDIR: directory },
  });
  let said = '';
  for (const stream of [drill.stdout, drill.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  await eventually(
    async () => {
      expect(said).toMatch(inTheMiddle);
      expect((await processesOfDrill()).length).toBeGreaterThanOrEqual(processes);
    },
    { timeoutMs: START_TIMEOUT_MS, intervalMs: 100 },
  );
}

async function processesOfDrill(): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const read = (pid: number, name: string) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
  const ours = await Promise.all(
    pids.map(async (pid) => {
      const [state, , group] = (await read(pid, 'stat')).split(') ').at(-1)?.split(' ') ?? [];
      const isMarked = (await read(pid, 'environ')).split('\0').includes(`TMPDIR=${directory}`);
      const worksIn = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      const isOurs = isMarked || worksIn.startsWith(directory) || Number(group) === drill.pid;
      // A zombie is gone: whoever inherited it has not looked yet.
      return state !== 'Z' && isOurs;
    }),
  );
  return pids.filter((_, i) => ours[i]);
}

interface Drill {
  readonly args: readonly string[];
  readonly inTheMiddle: RegExp;
  /** At least: its own, its fleet's, Redis, and the one that removes its directories. */
  readonly processes: number;
}

const BENCH: Drill = {
  args: ['bench', '--rounds', '1', '--only', 'enqueue'],
  inTheMiddle: /round 1/,
  processes: 4,
};
const CHAOS: Drill = {
  args: ['chaos', '--short', '--seed', '1'],
  inTheMiddle: /Z [a-z]+-[a-z]+/,
  // One of the fleet's may have been killed just now.
  processes: 10,
};
const SOAK: Drill = { args: ['soak', '--short'], inTheMiddle: /warm up/, processes: 8 };

test.each([
  { what: BENCH, signal: 'SIGINT', code: 130 },
  { what: CHAOS, signal: 'SIGTERM', code: 143 },
  // The drill itself can do nothing any more: what it started notices that it is gone.
  { what: SOAK, signal: 'SIGKILL', code: null },
] as const)(
  '$what.args.0 at $signal leaves no process and no directory behind',
  async (one) => {
    await startDrill(one.what);
    expect(await readdir(directory)).not.toEqual([]);

    const ended = once(drill, 'exit');
    drill.kill(one.signal);
    expect((await ended)[0]).toBe(one.code);
    await eventually(
      async () => {
        expect(await processesOfDrill()).toEqual([]);
        expect(await readdir(directory)).toEqual([]);
      },
      { timeoutMs: GONE_WITHIN_MS },
    );
  },
  240_000,
);

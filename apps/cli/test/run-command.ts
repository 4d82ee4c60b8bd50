/** `hookfleet` as a process of its own, as a person or a script runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { processEnvironment } from '@hookfleet/testkit';

export const COMMAND = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<CommandResult>;
}

export function startCommand(
  args: readonly string[],
  { input, environment = {} }: CommandOptions = {},
): RunningCommand {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...processEnvironment(), ...environment },
  });
  const endWithUs = () => child.kill('SIGKILL');
  process.on('exit', endWithUs);
  const closed = once(child, 'close');
  // A command that has refused its flags reads no input.
  child.stdin.on('error', () => undefined);
  if (input !== undefined) child.stdin.end(input);
  const ended = Promise.all([text(child.stdout), text(child.stderr), closed]).then(
    ([stdout, stderr, [status]]) => {
      process.off('exit', endWithUs);
      return { status: status as number | null, stdout, stderr };
    },
  );
  return { child, ended };
}

export async function runCommand(
  args: readonly string[],
  { input = '', ...options }: CommandOptions = {},
): Promise<CommandResult> {
  return startCommand(args, { input, ...options }).ended;
}

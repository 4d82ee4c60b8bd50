/** Asks before something is done that can't be taken back. Where nobody can be asked, it must have been said before. */
import { createInterface } from 'node:readline/promises';
import { UsageError } from './exit-status.ts';

export async function confirm(question: string, yes: boolean | undefined): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY)
    throw new UsageError('nobody can be asked here: --yes says that it is to be done');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

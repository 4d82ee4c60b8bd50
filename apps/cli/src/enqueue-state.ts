/**
 * How far a file was enqueued, kept beside it, so that a run that was interrupted goes on. Written anew after each call
 * and renamed into place: it is whole at any moment. It names a run, of which the webhooks' idempotency keys are made:
 * the one call that was in flight when a run died is made again under the same keys, and enqueues nothing twice.
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { UsageError } from './exit-status.ts';

export interface EnqueueState {
  readonly run: string;
  /** Of the input, sent so far. */
  readonly lines: number;
  readonly bytes: number;
  readonly webhooks: number;
  /** Of those bytes: an input that was changed there is another input. */
  readonly sha256: string;
}

const SHA256_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export function newRun(): EnqueueState {
  return {
    run: randomBytes(12).toString('base64url'),
    lines: 0,
    bytes: 0,
    webhooks: 0,
    sha256: SHA256_OF_NOTHING,
  };
}

/** Undefined where there is none. */
export async function readState(path: string): Promise<EnqueueState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as EnqueueState;
  } catch {
    throw new UsageError(`${path} does not say how far the input was sent: it is no JSON`);
  }
}

export async function writeState(path: string, state: EnqueueState): Promise<void> {
  const draft = `${path}.draft`;
  const file = await open(draft, 'w');
  try {
    await file.writeFile(`${JSON.stringify(state)}\n`);
    // On the disk before its name is: a machine that fails leaves the state before, not an empty one.
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

/** The key of a line's webhook: the same whenever the run goes on. */
export function keyOfLine({ run }: Pick<EnqueueState, 'run'>, line: number): string {
  return `enqueue-${run}-${line}`;
}

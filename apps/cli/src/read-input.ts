/** What a command is given to read: a file, or standard input where it is called `-`. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { UsageError } from './exit-status.ts';

export const STANDARD_INPUT = '-';

export async function readText(path: string): Promise<string> {
  if (path === STANDARD_INPUT) return text(process.stdin);
  try {
    return await text(createReadStream(path));
  } catch (error) {
    throw cannotRead(path, error);
  }
}

export async function readJson(path: string): Promise<unknown> {
  return parseJson(await readText(path), path === STANDARD_INPUT ? 'standard input' : path);
}

export function parseJson(given: string, source: string): unknown {
  try {
    return JSON.parse(given);
  } catch (error) {
    throw new UsageError(`${source} is no JSON: ${(error as Error).message}`);
  }
}

/** Closed by whoever reads it, at its end or before. */
export async function openBytes(path: string): Promise<AsyncIterable<Buffer>> {
  if (path === STANDARD_INPUT) return process.stdin;
  try {
    return (await open(path)).createReadStream({ highWaterMark: 1024 * 1024 });
  } catch (error) {
    throw cannotRead(path, error);
  }
}

function cannotRead(path: string, error: unknown): UsageError {
  return new UsageError(`${path} can't be read: ${(error as Error).message}`);
}

/** What a command is given to read: a file, or standard input where it is called `-`. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { isUtf8 } from 'node:buffer';
import { buffer } from 'node:stream/consumers';
import { UsageError } from './exit-status.ts';
import { JsonText } from './json-text.ts';

export const STANDARD_INPUT = '-';

export async function readJson(path: string): Promise<JsonText> {
  const bytes = await readBytes(path);
  const source = path === STANDARD_INPUT ? 'standard input' : path;
  // A decoder would put other characters in the place of what it can't read.
  if (!isUtf8(bytes)) throw new UsageError(`${source} is not valid UTF-8`);
  return jsonText(bytes.toString().replace(/^\ufeff/, ''), source);
}

export function jsonText(given: string, source: string): JsonText {
  try {
    JSON.parse(given);
  } catch (error) {
    throw new UsageError(`${source} is no JSON: ${(error as Error).message}`);
  }
  return new JsonText(given);
}

async function readBytes(path: string): Promise<Buffer> {
  if (path === STANDARD_INPUT) return buffer(process.stdin);
  try {
    return await buffer(createReadStream(path));
  } catch (error) {
    throw cannotRead(path, error);
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

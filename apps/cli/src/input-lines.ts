/**
 * A stream of bytes as lines, each with its number and where it ends, so that a reader can go on after it another
 * time. Bytes are split before they are decoded: a character that falls on two chunks stays whole.
 */
import type { Hash } from 'node:crypto';

export interface InputLine {
  /** From 1, blank lines included. */
  readonly number: number;
  /** As it stands there, its line break included. */
  readonly bytes: Buffer;
}

const NEWLINE = 0x0a;

export async function* inputLines(
  chunks: AsyncIterable<Buffer>,
  linesBefore: number,
): AsyncGenerator<InputLine> {
  let pending: Buffer[] = [];
  let number = linesBefore;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      pending.push(chunk.subarray(from, end + 1));
      number += 1;
      yield { number, bytes: Buffer.concat(pending) };
      pending = [];
      from = end + 1;
    }
    if (from < chunk.length) pending.push(chunk.subarray(from));
  }
  if (pending.length > 0) yield { number: number + 1, bytes: Buffer.concat(pending) };
}

/** What comes after the first `bytes` bytes; these go into the hash. */
export async function* afterPrefix(
  chunks: AsyncIterable<Buffer>,
  bytes: number,
  hash: Hash,
): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of chunks) {
    const skipped = Math.min(left, chunk.length);
    if (skipped > 0) hash.update(chunk.subarray(0, skipped));
    left -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}

/** Lines in groups of so many, or of so many bytes: a line alone may be longer. */
export async function* inGroups(
  lines: AsyncIterable<InputLine>,
  { linesMax, bytesMax }: { readonly linesMax: number; readonly bytesMax: number },
): AsyncGenerator<InputLine[]> {
  let group: InputLine[] = [];
  let bytes = 0;
  for await (const line of lines) {
    if (group.length >= linesMax || (group.length > 0 && bytes + line.bytes.length > bytesMax)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(line);
    bytes += line.bytes.length;
  }
  if (group.length > 0) yield group;
}

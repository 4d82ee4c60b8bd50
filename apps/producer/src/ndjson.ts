/**
 * Reads newline-delimited JSON while it arrives: a line is parsed and checked as soon as it is whole, so that what
 * is held is the webhooks and one line, not the body beside them. Bytes are split before they are decoded: a
 * character that falls on two chunks stays whole. Blanks before a line, and blank lines, cost no more than their bytes.
 */
import type { Readable } from 'node:stream';
import { BodyTooLargeError, bodyChunks } from './body-chunks.ts';

export interface NdjsonLimits {
  readonly bytesMax: number;
  readonly lineBytesMax: number;
}

const NEWLINE = 0x0a;

/**
 * Each line that isn't blank, in order, as its bytes: whether they are UTF-8 is asked by whoever reads what they say. What
 * JSON takes for white space around a line is left out, and nothing else. Throws BodyTooLargeError.
 */
export async function* ndjsonLines(
  body: Readable,
  { bytesMax, lineBytesMax }: NdjsonLimits,
): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of bodyChunks(body, bytesMax)) {
    let from = 0;
    while (from < chunk.length) {
      if (pendingBytes === 0) from = skipBlanks(chunk, from);
      const end = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, end === -1 ? chunk.length : end);
      pendingBytes += piece.length;
      if (pendingBytes > lineBytesMax) throw new BodyTooLargeError(`a line exceeds ${lineBytesMax} bytes`);
      if (piece.length > 0) pending.push(piece);
      if (end === -1) break;
      if (pendingBytes > 0) yield lineOf(pending);
      pending = [];
      pendingBytes = 0;
      from = end + 1;
    }
  }
  if (pendingBytes > 0) yield lineOf(pending);
}

/** Also over the ends of lines. */
function skipBlanks(chunk: Buffer, from: number): number {
  let i = from;
  while (i < chunk.length && isBlank(chunk[i] as number)) i += 1;
  return i;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09;
}

function lineOf(pieces: readonly Buffer[]): Buffer {
  const line = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  let end = line.length;
  while (isBlank(line[end - 1] as number)) end -= 1;
  return line.subarray(0, end);
}

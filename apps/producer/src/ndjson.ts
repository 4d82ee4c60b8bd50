/**
 * Reads newline-delimited JSON while it arrives: a line is parsed and checked as soon as it is whole, so that what
 * is held is the webhooks and one line, not the body beside them. Bytes are split before they are decoded: a
 * character that falls on two chunks stays whole. Where the reader stops early, the rest is read and thrown away, up
 * to the same limit: a caller who is still sending would else find the connection reset instead of the answer.
 */
import type { Readable } from 'node:stream';

export interface NdjsonLimits {
  readonly bytesMax: number;
  readonly lineBytesMax: number;
}

/** The body is beyond `bytesMax`, or a line beyond `lineBytesMax`. */
export class NdjsonTooLargeError extends Error {
  override readonly name = 'NdjsonTooLargeError';
}

const NEWLINE = 0x0a;
// What JSON takes for white space, in a line.
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d]);

/** Each line that isn't blank, in order. Throws NdjsonTooLargeError. */
export async function* ndjsonLines(
  body: Readable,
  { bytesMax, lineBytesMax }: NdjsonLimits,
): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let total = 0;
  try {
    for await (const chunk of chunksOf(body)) {
      total += chunk.length;
      if (total > bytesMax) throw new NdjsonTooLargeError(`the body exceeds ${bytesMax} bytes`);
      let from = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
        pending.push(chunk.subarray(from, end));
        yield* lineOf(pending);
        pending = [];
        pendingBytes = 0;
        from = end + 1;
      }
      pending.push(chunk.subarray(from));
      pendingBytes += chunk.length - from;
      if (pendingBytes > lineBytesMax) throw new NdjsonTooLargeError(`a line exceeds ${lineBytesMax} bytes`);
    }
    yield* lineOf(pending);
  } finally {
    await discardRest(body, bytesMax - total);
  }
}

async function discardRest(body: Readable, bytesMax: number): Promise<void> {
  if (bytesMax <= 0 || body.destroyed || body.readableEnded) return;
  let discarded = 0;
  for await (const chunk of chunksOf(body)) {
    discarded += chunk.length;
    if (discarded > bytesMax) return;
  }
}

/** Whoever stops reading leaves the stream, and so the connection, open for the answer. */
function chunksOf(body: Readable): AsyncIterable<Buffer> {
  return body.iterator({ destroyOnReturn: false });
}

/** As its bytes: whether they are UTF-8 is asked by whoever reads what they say. */
function* lineOf(pieces: readonly Buffer[]): Generator<Buffer> {
  const line = Buffer.concat(pieces);
  if (line.some(isInk)) yield line;
}

function isInk(byte: number): boolean {
  return byte > 0x20 || !BLANKS.has(byte);
}

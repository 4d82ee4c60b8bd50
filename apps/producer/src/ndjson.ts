/**
 * Reads newline-delimited JSON while it arrives: a line is parsed and checked as soon as it is whole, so that what
 * is held is the webhooks and one line, not the body beside them. Bytes are split before they are decoded: a
 * character that falls on two chunks stays whole.
 */
export interface NdjsonLimits {
  readonly bytesMax: number;
  readonly lineBytesMax: number;
}

/** The body is beyond `bytesMax`, or a line beyond `lineBytesMax`. */
export class NdjsonTooLargeError extends Error {
  override readonly name = 'NdjsonTooLargeError';
}

const NEWLINE = 0x0a;

/** Each line that isn't blank, in order. Throws NdjsonTooLargeError. */
export async function* ndjsonLines(
  body: AsyncIterable<Buffer>,
  { bytesMax, lineBytesMax }: NdjsonLimits,
): AsyncGenerator<string> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let total = 0;
  for await (const chunk of body) {
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
}

function* lineOf(pieces: readonly Buffer[]): Generator<string> {
  const line = Buffer.concat(pieces).toString('utf8').trim();
  if (line !== '') yield line;
}

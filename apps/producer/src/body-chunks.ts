/**
 * A request's body as it arrives, up to a limit. If the reader stops early, the rest is read and thrown away, up to the
 * same limit: a caller who is still sending would else find the connection reset instead of the answer.
 */
import type { Readable } from 'node:stream';

/** The body, or a part of it, is larger than it may be. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
}

/** Throws BodyTooLargeError. */
export async function* bodyChunks(body: Readable, bytesMax: number): AsyncGenerator<Buffer> {
  let total = 0;
  try {
    for await (const chunk of chunksOf(body)) {
      total += chunk.length;
      if (total > bytesMax) throw new BodyTooLargeError(`the body exceeds ${bytesMax} bytes`);
      yield chunk;
    }
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

/**
 * The first 1 KiB of a response body, as text. Bytes are counted after decompression and cut before they are
 * decoded, so that neither a bomb nor a half character gets any further.
 */
import { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { RESPONSE_EXCERPT_BYTES_MAX } from '@hookfleet/contract';

const DECOMPRESSORS = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
} as const;

/** Undefined for an empty body. What can't be decompressed is given as it came. */
export async function excerptOf(
  raw: Buffer,
  contentEncoding: string | undefined,
): Promise<string | undefined> {
  const bytes = await decompressed(raw, contentEncoding?.trim().toLowerCase());
  if (bytes.length === 0) return undefined;
  // stream: true holds back an incomplete last character instead of replacing it.
  return new TextDecoder().decode(bytes.subarray(0, RESPONSE_EXCERPT_BYTES_MAX), { stream: true });
}

async function decompressed(raw: Buffer, encoding: string | undefined): Promise<Buffer> {
  if (encoding === undefined || !(encoding in DECOMPRESSORS)) return raw;
  const decompressor = DECOMPRESSORS[encoding as keyof typeof DECOMPRESSORS]({
    chunkSize: RESPONSE_EXCERPT_BYTES_MAX,
  });
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of Readable.from([raw]).pipe(decompressor) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= RESPONSE_EXCERPT_BYTES_MAX) break;
    }
  } catch {
    // The body was cut, or is not what its header says: what came out before the fault is still worth showing.
  }
  return length > 0 ? Buffer.concat(chunks) : raw;
}

/**
 * The first 1 KiB of a response body, as text. Bytes are counted after decompression and cut before they are
 * decoded, so that neither a bomb, nor one within another, nor half a character gets any further. Secrets are masked
 * before the cut: half a secret would not be found.
 */
import { Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { RESPONSE_EXCERPT_BYTES_MAX } from '@hookfleet/contract';
import type { MaskEchoes } from './mask-echoes.ts';

// A map: a destination chooses the name, and every object has a `constructor`.
const DECOMPRESSORS: ReadonlyMap<string, (options: { chunkSize: number }) => Transform> = new Map<
  string,
  (options: { chunkSize: number }) => Transform
>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
]);
// Nobody means more than one; what claims more than this is shown as it came.
const ENCODINGS_MAX = 3;
// Looked at, so that of a secret which begins within the excerpt enough is seen to know it: 64 characters, each of them
// escaped twice.
const MASKED_BYTES_MAX = 2 * RESPONSE_EXCERPT_BYTES_MAX;

/** Undefined for an empty body. What can't be decompressed is given as it came. */
export async function excerptOf(
  raw: Buffer,
  contentEncoding: string | undefined,
  mask: MaskEchoes = (bytes) => bytes,
): Promise<string | undefined> {
  const bytes = mask((await decompressed(raw, contentEncoding)).subarray(0, MASKED_BYTES_MAX));
  if (bytes.length === 0) return undefined;
  // stream: true holds back an incomplete last character instead of replacing it.
  return new TextDecoder().decode(bytes.subarray(0, RESPONSE_EXCERPT_BYTES_MAX), { stream: true });
}

async function decompressed(raw: Buffer, contentEncoding = ''): Promise<Buffer> {
  const encodings = contentEncoding
    .split(',')
    .map((encoding) => encoding.trim().toLowerCase())
    .filter((encoding) => encoding !== '' && encoding !== 'identity');
  // The last one was applied last, and comes off first.
  const decompressors = encodings.reverse().map((encoding) => DECOMPRESSORS.get(encoding));
  if (encodings.length === 0 || encodings.length > ENCODINGS_MAX || decompressors.includes(undefined))
    return raw;
  const chunks: Buffer[] = [];
  let length = 0;
  const streams = decompressors.map(
    (create) => create?.({ chunkSize: RESPONSE_EXCERPT_BYTES_MAX }) as Transform,
  );
  try {
    const last = streams.reduce<Readable>(
      (source, stream) => {
        source.on('error', (error) => stream.destroy(error));
        return source.pipe(stream);
      },
      Readable.from([raw]),
    );
    for await (const chunk of last as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= MASKED_BYTES_MAX) break;
    }
  } catch {
    // The body was cut, or is not what its header says: what came out before the fault is still worth showing.
  }
  for (const stream of streams) stream.destroy();
  return length > 0 ? Buffer.concat(chunks) : raw;
}

/**
 * The first 1 KiB of a response body, as text. Bytes are counted after each decompression and cut before the next, so that
 * neither a bomb, nor one within another, nor half a character gets any further: it is a millisecond's work whatever came.
 * Secrets are masked before the cut: half a secret would not be found; and in UTF-8, in which they are known.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Transform } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import { RESPONSE_EXCERPT_BYTES_MAX } from '@hookfleet/contract';
import type { MaskEchoes } from './mask-echoes.ts';

// The window that every decoder of zstd has (RFC 8878, 3.1.1.1.2): a frame may ask for one of 128 MiB.
const ZSTD = { params: { [constants.ZSTD_d_windowLogMax]: 23 } };
// A map: a destination chooses the name, and every object has a `constructor`.
const DECOMPRESSORS: ReadonlyMap<string, (options: { chunkSize: number }) => Transform> = new Map<
  string,
  (options: { chunkSize: number }) => Transform
>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', (options) => createZstdDecompress({ ...options, ...ZSTD })],
]);
// Nobody means more than one; what claims more than this is shown as it came.
const ENCODINGS_MAX = 3;
// What one encoding makes of its input, and so what the next one gets: as much as of a body is read. Some bytes may mean
// gigabytes of nothing, or of what becomes nothing in the next.
const LAYER_BYTES_MAX = 64 * 1024;
const CHUNK_BYTES = 16 * 1024;
// Looked at, so that of a secret which begins within the excerpt enough is seen to know it: 64 characters, each of them
// escaped twice.
const MASKED_BYTES_MAX = 2 * RESPONSE_EXCERPT_BYTES_MAX;

/** Undefined for an empty body. What can't be decompressed, or is in no charset that we know, is taken as it came. */
export async function excerptOf(
  raw: Buffer,
  headers: Pick<IncomingHttpHeaders, 'content-encoding' | 'content-type'>,
  mask: MaskEchoes = (bytes) => bytes,
): Promise<string | undefined> {
  const unpackedBytes = (await decompressed(raw, headers['content-encoding'])).subarray(0, MASKED_BYTES_MAX);
  const bytes = mask(inUtf8(unpackedBytes, headers['content-type']));
  if (bytes.length === 0) return undefined;
  // stream: true holds back an incomplete last character instead of replacing it.
  return new TextDecoder().decode(bytes.subarray(0, RESPONSE_EXCERPT_BYTES_MAX), { stream: true });
}

const CHARSET = /;\s*charset\s*=\s*"?([^";\s]{1,40})/i;

function inUtf8(bytes: Buffer, contentType = ''): Buffer {
  const [, charset] = CHARSET.exec(contentType) ?? [];
  if (charset === undefined || /^utf-?8$/i.test(charset)) return bytes;
  try {
    return Buffer.from(new TextDecoder(charset).decode(bytes, { stream: true }));
  } catch {
    return bytes;
  }
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
  let bytes = raw;
  for (const [i, create] of decompressors.entries()) {
    const isLast = i === decompressors.length - 1;
    bytes = await unpacked(
      bytes,
      (create === createInflate && !isZlib(bytes) ? createInflateRaw : create)?.({
        chunkSize: CHUNK_BYTES,
      }) as Transform,
      isLast ? MASKED_BYTES_MAX : LAYER_BYTES_MAX,
    );
    if (bytes.length === 0) return raw;
  }
  return bytes;
}

/** By its head (RFC 1950, 2.2). Many send deflate without one, though RFC 9110 (8.4.1.2) means it with. */
function isZlib(bytes: Buffer): boolean {
  const [method = 0, flags = 0] = bytes;
  return (method & 0x0f) === 8 && (method * 256 + flags) % 31 === 0;
}

/** What comes out, up to `bytesMax`. */
async function unpacked(packed: Buffer, decompressor: Transform, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  decompressor.end(packed);
  try {
    for await (const chunk of decompressor as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= bytesMax) break;
    }
  } catch {
    // The body was cut, or is not what its header says: what came out before the fault is still worth showing.
  }
  decompressor.destroy();
  return Buffer.concat(chunks).subarray(0, bytesMax);
}

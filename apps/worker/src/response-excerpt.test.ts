/** Of a body, in whatever it is packed, the beginning is shown, and no more is unpacked than that takes. Takes under a second. */
import {
  brotliCompressSync,
  crc32,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { expect, test } from '@jest/globals';
import { createMask } from './mask-echoes.ts';
import { excerptOf } from './response-excerpt.ts';

const TEXT = 'no such account';

const packed = (body: Buffer, encoding: string) => excerptOf(body, { 'content-encoding': encoding });

test.each<[string, Buffer]>([
  ['', Buffer.from(TEXT)],
  ['gzip', gzipSync(TEXT)],
  ['deflate', deflateSync(TEXT)],
  ['deflate', deflateRawSync(TEXT)],
  ['deflate, deflate', deflateRawSync(deflateSync(TEXT))],
  ['br', brotliCompressSync(TEXT)],
  ['zstd', zstdCompressSync(TEXT)],
  ['gzip, br', brotliCompressSync(gzipSync(TEXT))],
  ['gzip, identity, x-gzip, gzip', gzipSync(gzipSync(gzipSync(TEXT)))],
])('%j', async (encoding, body) => {
  expect(await packed(body, encoding)).toBe(TEXT);
});

test.each<[string, Buffer]>([
  ['gzip', Buffer.from(TEXT)],
  ['compress', Buffer.from(TEXT)],
  ['constructor', Buffer.from(TEXT)],
  ['gzip, gzip, gzip, gzip', Buffer.from(TEXT)],
])('what is not %j is shown as it came', async (encoding, body) => {
  expect(await packed(body, encoding)).toBe(TEXT);
});

test('of a body that was cut, what is there is shown', async () => {
  const random = Array.from({ length: 4_000 }, (_, i) => crc32(String(i)).toString(36)).join(' ');
  const whole = gzipSync(random);
  expect(random).toContain((await packed(whole.subarray(0, whole.length / 2), 'gzip')) as string);
});

/** A gzip member whose text stands behind as many blocks that hold nothing. */
function behindNothing(blocks: number): Buffer {
  const nothing = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);
  const text = Buffer.from(TEXT);
  const last = Buffer.from([0x01, text.length, 0x00, 0xff - text.length, 0xff]);
  const end = Buffer.alloc(8);
  end.writeUInt32LE(crc32(text));
  end.writeUInt32LE(text.length, 4);
  const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  return Buffer.concat([head, ...Array.from({ length: blocks }, () => nothing), last, text, end]);
}

test('what one layer unpacks to is bounded before the next unpacks it', async () => {
  const [little, much] = [behindNothing(1_000), behindNothing(20_000)];
  expect(await packed(little, 'gzip')).toBe(TEXT);
  expect(await packed(gzipSync(little), 'gzip, gzip')).toBe(TEXT);
  // The text stands behind the first 64 KiB.
  for (const [body, encoding] of [
    [gzipSync(much), 'gzip, gzip'],
    [gzipSync(gzipSync(much)), 'gzip, gzip, gzip'],
    [brotliCompressSync(gzipSync(much)), 'gzip, gzip, br'],
  ] as const)
    expect(await packed(body, encoding)).not.toContain(TEXT);
});

test('of a bomb its first kibibyte is shown', async () => {
  const bomb = gzipSync(gzipSync(Buffer.alloc(10_000_000, 'a')));
  expect(await packed(bomb, 'gzip, gzip')).toBe('a'.repeat(1_024));
});

test.each([
  ['iso-8859-1', Buffer.from('Empf\xe4nger unbekannt', 'latin1')],
  ['"utf-16le"', Buffer.from('Empfänger unbekannt', 'utf16le')],
  ['UTF-8', Buffer.from('Empfänger unbekannt')],
  // No charset: the bytes as they are.
  ['no-such-charset', Buffer.from('Empfänger unbekannt')],
])('a text is read in its charset %s', async (charset, body) => {
  expect(await excerptOf(body, { 'content-type': `text/plain; charset=${charset}` })).toBe(
    'Empfänger unbekannt',
  );
});

test('a secret is masked in whatever charset it comes back', async () => {
  const body = Buffer.from('{"token":"planted-secret"}', 'utf16le');
  const headers = { 'content-type': 'application/json; charset=utf-16' };
  expect(await excerptOf(body, headers, createMask(['planted-secret']))).toBe('{"token":"***"}');
});

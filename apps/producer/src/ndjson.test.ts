/** NDJSON lines are read whole from any chunks, within their size limits. Takes under a second. */
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { BodyTooLargeError } from './body-chunks.ts';
import { ndjsonLines } from './ndjson.ts';

const LIMITS = { bytesMax: 100_000, lineBytesMax: 10_000 };

async function collect(lines: AsyncIterable<Buffer>): Promise<string[]> {
  const collected: string[] = [];
  for await (const line of lines) collected.push(line.toString());
  return collected;
}

async function linesOf(chunks: readonly Buffer[], limits = LIMITS): Promise<string[]> {
  return collect(ndjsonLines(Readable.from(chunks), limits));
}

/** The bytes, cut at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

test('lines come out whole wherever the chunks are cut, characters of several bytes included', async () => {
  // As JSON writes them: no line break within a line, and no white space around it.
  const line = fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.array(fc.nat()),
      fc.constantFrom('\n', '\r\n'),
      async (lines, places, end) => {
        const bytes = Buffer.from(lines.map((one) => one + end).join(''));
        expect(await linesOf(cut(bytes, places))).toEqual(lines);
      },
    ),
  );
});

test('blank lines are no lines, and the last needs no end', async () => {
  expect(await linesOf([Buffer.from('\n1\n \r\n\n2')])).toEqual(['1', '2']);
});

test('a body or a line beyond its limit is refused as soon as it is', async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1_000, 'x');
    })(),
  );
  await expect(collect(ndjsonLines(endless, LIMITS))).rejects.toThrow(BodyTooLargeError);
  await expect(
    linesOf(Array.from({ length: 101 }, () => Buffer.from(`${'x'.repeat(999)}\n`))),
  ).rejects.toThrow('the body exceeds 100000 bytes');
});

test('a reader who stops early leaves nothing unread, so that the answer can be', async () => {
  const body = Readable.from(Array.from({ length: 50 }, (_, i) => Buffer.from(`${i}\n`)));
  for await (const line of ndjsonLines(body, LIMITS)) {
    if (line.toString() === '3') break;
  }
  expect(body.readableEnded).toBe(true);
});

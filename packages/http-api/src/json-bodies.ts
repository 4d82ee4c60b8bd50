/**
 * JSON bodies are bounded before values are made of them: in depth, because what comes later may follow the nesting by
 * recursion, and in the number of values, because a value of three bytes ({},) takes up to 80 of memory. What is bounded
 * in bytes alone can be 40 times as large in memory, and hold the event loop for as long as it takes to build.
 *
 * A body without bytes is none, whatever content type its request names: many clients always name one.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isBelowV1 } from './below-v1.ts';
import { ProblemError } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of a route's JSON body: JSON_VALUES_MAX if absent. */
    jsonValuesMax?: number;
  }
}

/** What our schemas allow is nested 10 levels deep at most; the rest is room for data that is passed on. */
export const JSON_DEPTH_MAX = 100;

/** 1,000 events with 100 properties each. Parsing so many takes some 10 ms. */
export const JSON_VALUES_MAX = 100_000;

// Measured with Node.js 24: an empty object 56 bytes and its place in a list 8 to 16; a property of a large object 40.
const BYTES_PER_VALUE = 72;

/** Told what a body takes in memory beyond its own bytes; throws to refuse the call before that memory is taken. */
export type OnJsonBody = (request: FastifyRequest, valueBytes: number) => void;

export function addJsonBodies(app: FastifyInstance, onJsonBody: OnJsonBody = () => undefined): void {
  app.addHook('onRequest', async (request) => {
    const { headers } = request.raw;
    const isEmpty =
      headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
    // fastify would look for a parser, and find none or one that refuses nothing at all.
    if (isEmpty && isBelowV1(request)) delete headers['content-type'];
  });

  app.removeContentTypeParser('application/json');
  // Bytes: to look at a character of a long text that was put together from pieces takes 20 times as long.
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) => {
      const { jsonValuesMax = JSON_VALUES_MAX } = request.routeOptions.config;
      if (bytes.length === 0) return undefined;
      const { depth, values } = measureJson(bytes, { depthMax: JSON_DEPTH_MAX, valuesMax: jsonValuesMax });
      if (depth > JSON_DEPTH_MAX)
        throw new ProblemError(400, `The body is nested deeper than ${JSON_DEPTH_MAX} levels.`);
      if (values > jsonValuesMax)
        throw new ProblemError(400, `The body holds more than ${jsonValuesMax} values.`);
      onJsonBody(request, values * BYTES_PER_VALUE);
      try {
        return JSON.parse(textOf(bytes));
      } catch (error) {
        // Without what V8 quotes of the body: it may be a secret, and a log's reader is not the caller.
        const at = /at position \d+/.exec((error as Error).message)?.[0];
        throw new ProblemError(400, `The body is not valid JSON${at === undefined ? '' : ` ${at}`}.`);
      }
    },
  );
}

function textOf(bytes: Buffer): string {
  const hasByteOrderMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return bytes.toString('utf8', hasByteOrderMark ? 3 : 0);
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
// [ and {, ] and } differ in one bit each.
const OPEN_LIST = 0x5b;
const BRACKET_BIT = 0x20;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * The depth of a JSON text and no fewer than its values, until one is beyond its limit. Of what is no JSON it tells
 * something, in the same time.
 */
export function measureJson(
  bytes: Uint8Array,
  { depthMax, valuesMax }: { depthMax: number; valuesMax: number },
): { readonly depth: number; readonly values: number } {
  let level = 0;
  let depth = 0;
  let values = 1;
  for (let i = 0; i < bytes.length && depth <= depthMax && values <= valuesMax; i += 1) {
    const byte = bytes[i] as number;
    if (byte === QUOTE) {
      for (i += 1; i < bytes.length && bytes[i] !== QUOTE; i += 1) if (bytes[i] === BACKSLASH) i += 1;
    } else if (byte === COMMA) {
      values += 1;
    } else if (byte >= OPEN_LIST) {
      const bracket = byte | BRACKET_BIT;
      if (bracket === OPEN) {
        values += 1;
        level += 1;
        if (level > depth) depth = level;
      } else if (bracket === CLOSE) level -= 1;
    }
  }
  return { depth, values };
}

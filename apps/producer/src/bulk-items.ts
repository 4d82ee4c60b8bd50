/**
 * Reads {"webhooks": […]} while it arrives, item by item. What is held is one item, not the body, and the work of a
 * body of any size is done in the pieces in which it comes: no call holds the event loop for long, or makes values of
 * items that nobody will look at.
 *
 * It finds where items begin and end, and leaves it to the reader of an item whether that is JSON: brackets are counted,
 * not matched. Around the items, it takes the texts that JSON.parse takes.
 */
import { type FieldError, JsonTextError } from '@hookfleet/contract';
import { BodyTooLargeError } from './body-chunks.ts';

/** The body is JSON, and is not {"webhooks": […]} and nothing beside it. Thrown when all of it has been read. */
export class BulkShapeError extends Error {
  override readonly name = 'BulkShapeError';
  readonly errors: readonly FieldError[];

  constructor(errors: readonly FieldError[]) {
    super('not an object with a list of webhooks');
    this.errors = errors;
  }
}

const ITEMS_FIELD = 'webhooks';
// Of a field's name in the body. The only one that is known is short.
const NAME_BYTES_MAX = 1_024;
// Unknown fields that are named.
const UNKNOWN_MAX = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const BRACKET_BIT = 0x20;
// By byte: 1 where it neither ends a text nor escapes what follows.
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === QUOTE || byte === BACKSLASH ? 0 : 1,
);
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** What the reader expects next, outside of items. */
type Place =
  | 'start'
  | 'name or end'
  | 'name'
  | 'colon'
  | 'field value'
  | 'item or end'
  | 'item'
  | 'comma or end of items'
  | 'comma or end'
  | 'nothing';

/** A value, or a name, that is being read. It may go on in the next chunk. */
interface Open {
  readonly kind: 'item' | 'name' | 'other';
  /** A number or a word ends before what cannot be part of it; others end with their last byte. */
  readonly isBare: boolean;
  /** Of brackets; strings stand at 0. */
  depth: number;
  inString: boolean;
  isEscaped: boolean;
  /** Not kept of a value that nobody looks at. */
  pieces: Buffer[];
  bytes: number;
}

/**
 * The bytes of each item, in order. Throws JsonTextError where the text around the items is not JSON, BulkShapeError and
 * BodyTooLargeError.
 */
export async function* bulkItems(
  chunks: AsyncIterable<Buffer>,
  { itemBytesMax }: { itemBytesMax: number },
): AsyncGenerator<Buffer> {
  let place: Place = 'start';
  let open: Open | undefined;
  let name = '';
  let at = 0;
  let isFirstChunk = true;
  const seen = { items: false, count: 0 };
  const unknown = new Set<string>();
  let wrongType: FieldError | undefined;

  const fail = (): never => {
    throw new JsonTextError('syntax', at);
  };

  function begin(byte: number, kind: Open['kind']): Open {
    const isString = byte === QUOTE;
    const isNested = byte === OPEN_LIST || byte === OPEN_OBJECT;
    return {
      kind,
      isBare: !isString && !isNested,
      depth: isNested ? 1 : 0,
      inString: isString,
      isEscaped: false,
      pieces: [],
      bytes: 0,
    };
  }

  function keep(value: Open, piece: Buffer): void {
    value.bytes += piece.length;
    if (value.kind === 'other') return;
    const bytesMax = value.kind === 'item' ? itemBytesMax : NAME_BYTES_MAX;
    if (value.bytes > bytesMax) {
      if (value.kind === 'name') throw new BulkShapeError([unknownField('with a name of over 1,024 bytes')]);
      throw new BodyTooLargeError(`${ITEMS_FIELD}[${seen.count}] exceeds ${itemBytesMax} bytes`);
    }
    value.pieces.push(piece);
  }

  /** What comes behind a name, or a value of a field that is none of the items. */
  function closed({ kind, pieces }: Open): Place {
    if (kind === 'other') return 'comma or end';
    const text = parsedName(Buffer.concat(pieces));
    if (text === undefined) return fail();
    name = text;
    if (name !== ITEMS_FIELD && unknown.size < UNKNOWN_MAX) unknown.add(name);
    return 'colon';
  }

  /** Sets what is expected behind the byte. */
  function step(byte: number): Place {
    switch (place) {
      case 'start':
        return byte === OPEN_OBJECT ? 'name or end' : fail();
      case 'name or end':
        if (byte === CLOSE_OBJECT) return 'nothing';
        return byte === QUOTE ? beginAs(byte, 'name') : fail();
      case 'name':
        return byte === QUOTE ? beginAs(byte, 'name') : fail();
      case 'colon':
        return byte === COLON ? 'field value' : fail();
      case 'field value':
        if (name !== ITEMS_FIELD) return beginAs(byte, 'other');
        if (seen.items) wrongType = { field: name, type: 'INVALID_VALUE', detail: 'is given more than once' };
        else if (byte !== OPEN_LIST) wrongType = { field: name, type: 'WRONG_TYPE', detail: 'must be array' };
        else {
          seen.items = true;
          return 'item or end';
        }
        seen.items = true;
        return beginAs(byte, 'other');
      case 'item or end':
        return byte === CLOSE_LIST ? 'comma or end' : beginAs(byte, 'item');
      case 'item':
        return beginAs(byte, 'item');
      case 'comma or end of items':
        if (byte === COMMA) return 'item';
        return byte === CLOSE_LIST ? 'comma or end' : fail();
      case 'comma or end':
        if (byte === COMMA) return 'name';
        return byte === CLOSE_OBJECT ? 'nothing' : fail();
      case 'nothing':
        return fail();
    }
  }

  function beginAs(byte: number, kind: Open['kind']): Place {
    if (byte === COMMA || byte === COLON || byte === CLOSE_LIST || byte === CLOSE_OBJECT) fail();
    open = begin(byte, kind);
    return place;
  }

  for await (const arrived of chunks) {
    const chunk = isFirstChunk ? withoutByteOrderMark(arrived) : arrived;
    isFirstChunk = false;
    const base = at;
    let i = 0;
    while (i < chunk.length) {
      at = base + i;
      if (open === undefined) {
        const byte = chunk[i] as number;
        if (isBlank(byte)) {
          i += 1;
          continue;
        }
        place = step(byte);
        // A value is read from its first byte on, which is taken already.
        if (open === undefined) {
          i += 1;
          continue;
        }
      }
      const value: Open = open;
      const isNew = value.bytes === 0;
      const end = endIn(chunk, isNew ? i + 1 : i, value);
      keep(value, chunk.subarray(i, end === -1 ? chunk.length : end));
      if (end === -1) break;
      i = end;
      open = undefined;
      if (value.kind === 'item') {
        yield value.pieces.length === 1 ? (value.pieces[0] as Buffer) : Buffer.concat(value.pieces);
        seen.count += 1;
        place = 'comma or end of items';
      } else {
        place = closed(value);
      }
    }
    at = base + chunk.length;
  }
  if (place !== 'nothing') fail();
  const missing: FieldError = { field: ITEMS_FIELD, type: 'REQUIRED', detail: 'is required' };
  const errors = [
    ...(seen.items ? [] : [missing]),
    ...(wrongType === undefined ? [] : [wrongType]),
    ...[...unknown].map(unknownField),
  ];
  if (errors.length > 0) throw new BulkShapeError(errors);
}

/** Where in the chunk the value ends: -1 if it goes on in the next one. The hot loop: it works on local variables. */
function endIn(chunk: Buffer, from: number, value: Open): number {
  if (value.isBare) return endOfBareIn(chunk, from);
  const { length } = chunk;
  let { depth, inString } = value;
  let i = from;
  if (value.isEscaped && i < length) {
    value.isEscaped = false;
    i += 1;
  }
  while (i < length) {
    if (inString) {
      i = afterPlain(chunk, i);
      if (i >= length) break;
      if (chunk[i] === BACKSLASH) i += 2;
      else {
        i += 1;
        inString = false;
        if (depth === 0) return i;
      }
      continue;
    }
    const byte = chunk[i] as number;
    i += 1;
    if (byte === QUOTE) inString = true;
    else if (byte >= OPEN_LIST) {
      // [ and {, ] and } differ in one bit each.
      const bracket = byte | BRACKET_BIT;
      if (bracket === OPEN_OBJECT) depth += 1;
      else if (bracket === CLOSE_OBJECT) {
        depth -= 1;
        if (depth === 0) return i;
      }
    }
  }
  // A backslash was the last byte of the chunk.
  value.isEscaped = i > length;
  value.depth = depth;
  value.inString = inString;
  return -1;
}

/** Of a text: four bytes at a time, for most bytes of most webhooks are those of texts. */
function afterPlain(chunk: Buffer, from: number): number {
  const { length } = chunk;
  let i = from;
  while (
    i + 4 <= length &&
    (IS_PLAIN[chunk[i] as number] as number) &
      (IS_PLAIN[chunk[i + 1] as number] as number) &
      (IS_PLAIN[chunk[i + 2] as number] as number) &
      (IS_PLAIN[chunk[i + 3] as number] as number)
  )
    i += 4;
  while (i < length && IS_PLAIN[chunk[i] as number] === 1) i += 1;
  return i;
}

function endOfBareIn(chunk: Buffer, from: number): number {
  for (let i = from; i < chunk.length; i += 1) {
    const byte = chunk[i] as number;
    if (isBlank(byte) || byte === COMMA || byte === CLOSE_LIST || byte === CLOSE_OBJECT) return i;
  }
  return -1;
}

function unknownField(field: string): FieldError {
  return { field, type: 'UNKNOWN_FIELD', detail: 'is not a field of this object' };
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function withoutByteOrderMark(chunk: Buffer): Buffer {
  return chunk.subarray(0, 3).equals(BYTE_ORDER_MARK) ? chunk.subarray(3) : chunk;
}

function parsedName(bytes: Buffer): string | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) as string;
  } catch {
    return undefined;
  }
}

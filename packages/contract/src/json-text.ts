/**
 * Reads JSON without making values of it: where each value begins and ends, and whether the text is JSON at all. What
 * a caller wrote can then be passed on byte for byte. It takes exactly the texts that JSON.parse takes (a property test
 * holds the two against each other), in one pass, and without recursion: nesting costs a byte a level.
 *
 * It reads bytes of UTF-8. Whether they are UTF-8 is not asked here: isUtf8 of node:buffer is faster at that.
 */

/**
 * Of a JSON body of which values are made: 1,000 events with 100 properties each. A value of three bytes ({},) takes up
 * to 80 of memory; parsing so many values takes some 10 ms.
 */
export const JSON_VALUES_MAX = 100_000;

/** The text isn't JSON, or is beyond a limit of the reader: then `limit` is set. `at` is a byte of the text. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';
  readonly reason: keyof typeof DETAILS;
  readonly at: number;

  constructor(reason: keyof typeof DETAILS, at: number, limit = 0) {
    super(DETAILS[reason](at, limit));
    this.reason = reason;
    this.at = at;
  }
}

const DETAILS = {
  syntax: (at: number) => `is not valid JSON from byte ${at} on`,
  depth: (_at: number, limit: number) => `must not be nested more than ${limit} levels deep`,
  values: (_at: number, limit: number) => `must not hold more than ${limit} values`,
} as const;

export const JSON_BYTES = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openArray: 0x5b,
  closeArray: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const;

const { quote, comma, colon, openArray, closeArray, openObject, closeObject } = JSON_BYTES;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const SPACE = 0x20;

// Up to so many characters without an exponent, every number survives its way through a double.
const PLAIN_NUMBER_LENGTH_MAX = 15;

// More values than any text has; a small integer, with which the hot loop counts.
const VALUES_UNBOUNDED = 2 ** 30;

// By byte: 1 where it stands for itself within a text.
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < SPACE || byte === quote || byte === BACKSLASH ? 0 : 1,
);

// By level of a value that is skipped: whether it is an object. One for all readers: no two of them read at once.
const LEVELS = new Uint8Array(128);

export class JsonReader {
  readonly bytes: Buffer;
  /** Where it reads next. */
  at = 0;
  /** Of the member that nextMember moved to, without its quotes. */
  nameStart = 0;
  nameEnd = 0;
  /** Numbers that a double may not hold are remembered, by where they begin and end. */
  notesNumbers = false;
  readonly longNumbers: { readonly start: number; readonly end: number }[] = [];
  /** Values that were skipped while it counted them. */
  values = 0;
  countsValues = true;
  readonly #depthMax: number;
  readonly #valuesMax: number;

  /**
   * `depthMax`: of one value that is skipped; `valuesMax`: of all that are counted. A byte order mark before the text is
   * passed over.
   */
  constructor(bytes: Buffer, { depthMax = Number.POSITIVE_INFINITY, valuesMax = VALUES_UNBOUNDED } = {}) {
    this.bytes = bytes;
    this.#depthMax = depthMax;
    this.#valuesMax = valuesMax;
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.at = 3;
  }

  /** Moves to the next value or bracket, and answers its first byte: undefined at the end of the text. */
  peek(): number | undefined {
    this.at = afterSpace(this.bytes, this.at);
    return this.bytes[this.at];
  }

  /** Moves behind the value that comes next. Where it throws, the reader stays before the value. */
  skipValue(depthMax = this.#depthMax): void {
    const { bytes } = this;
    let levels = LEVELS;
    let at = this.at;
    let depth = 0;
    const valuesMax = this.countsValues ? this.#valuesMax : VALUES_UNBOUNDED;
    let values = this.countsValues ? this.values : 0;
    for (;;) {
      at = afterSpace(bytes, at);
      const byte = at < bytes.length ? (bytes[at] as number) : 0;
      values += 1;
      if (values > valuesMax) throw new JsonTextError('values', at, valuesMax);
      if (byte === openObject || byte === openArray) {
        if (depth >= depthMax) throw new JsonTextError('depth', at, depthMax);
        depth += 1;
        if (depth >= levels.length) levels = doubled(levels);
        const isObject = byte === openObject;
        levels[depth] = isObject ? 1 : 0;
        at = afterSpace(bytes, at + 1);
        if (at < bytes.length && bytes[at] === (isObject ? closeObject : closeArray)) {
          at += 1;
          depth -= 1;
        } else {
          if (isObject) at = afterColon(bytes, afterNameAt(bytes, at));
          continue;
        }
      } else if (byte === quote) at = afterString(bytes, at);
      else at = this.#afterScalar(at, byte);
      // Behind a value: as many levels end as there are brackets.
      for (;;) {
        if (depth === 0) {
          this.at = at;
          if (this.countsValues) this.values = values;
          return;
        }
        at = afterSpace(bytes, at);
        const next = at < bytes.length ? (bytes[at] as number) : 0;
        const isObject = levels[depth] === 1;
        if (next === comma) {
          at += 1;
          if (isObject) at = afterColon(bytes, afterNameAt(bytes, afterSpace(bytes, at)));
          break;
        }
        if (next !== (isObject ? closeObject : closeArray)) throw new JsonTextError('syntax', at);
        at += 1;
        depth -= 1;
      }
    }
  }

  /** Into the array or object that comes next: nextItem or nextMember then moves to what it holds. */
  enter(): void {
    this.at += 1;
  }

  /** Moves to the array's next item, or behind the array: then false. */
  nextItem(isFirst: boolean): boolean {
    return this.#next(closeArray, isFirst);
  }

  /** Moves to the value of the object's next member, or behind the object: then false. */
  nextMember(isFirst: boolean): boolean {
    if (!this.#next(closeObject, isFirst)) return false;
    const afterName = afterNameAt(this.bytes, this.at);
    this.nameStart = this.at + 1;
    this.nameEnd = afterName - 1;
    this.at = afterColon(this.bytes, afterName);
    return true;
  }

  /** Whether the member's name is this one, which is ASCII. */
  isNamed(name: string): boolean {
    const { bytes, nameStart, nameEnd } = this;
    const length = nameEnd - nameStart;
    if (length > name.length) {
      // Escapes write it another way, and always a longer one.
      for (let at = nameStart; at < nameEnd; at += 1)
        if (bytes[at] === BACKSLASH) return this.name() === name;
      return false;
    }
    if (length < name.length) return false;
    for (let i = 0; i < length; i += 1) if (bytes[nameStart + i] !== name.charCodeAt(i)) return false;
    return true;
  }

  /** The member's name. */
  name(): string {
    return JSON.parse(this.text(this.nameStart - 1, this.nameEnd + 1)) as string;
  }

  text(start: number, end: number): string {
    return textOf(this.bytes, start, end);
  }

  /** Throws where anything but white space follows. */
  end(): void {
    if (this.peek() !== undefined) throw new JsonTextError('syntax', this.at);
  }

  #next(close: number, isFirst: boolean): boolean {
    const byte = this.peek();
    if (byte === close) {
      this.at += 1;
      return false;
    }
    if (isFirst) return true;
    if (byte !== comma) throw new JsonTextError('syntax', this.at);
    this.at += 1;
    // A value must follow: a bracket in its place is refused by whoever reads the value.
    this.at = afterSpace(this.bytes, this.at);
    return true;
  }

  #afterScalar(start: number, byte: number): number {
    switch (byte) {
      case 0x74:
        return afterWord(this.bytes, start, 'true');
      case 0x66:
        return afterWord(this.bytes, start, 'false');
      case 0x6e:
        return afterWord(this.bytes, start, 'null');
      default:
        return this.#afterNumber(start, byte);
    }
  }

  #afterNumber(start: number, first: number): number {
    const { bytes } = this;
    let at = first === MINUS ? start + 1 : start;
    let hasExponent = false;
    if (bytes[at] === ZERO) at += 1;
    else at = afterDigits(bytes, at);
    if (bytes[at] === 0x2e) at = afterDigits(bytes, at + 1);
    if (bytes[at] === 0x65 || bytes[at] === 0x45) {
      hasExponent = true;
      at += 1;
      if (bytes[at] === 0x2b || bytes[at] === MINUS) at += 1;
      at = afterDigits(bytes, at);
    }
    if (this.notesNumbers && (hasExponent || at - start > PLAIN_NUMBER_LENGTH_MAX))
      this.longNumbers.push({ start, end: at });
    return at;
  }
}

/** What stands between two bytes of UTF-8, a byte order mark included. */
export function textOf(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, end);
}

/**
 * Whether a number means the same after a double has held it. What is whole to a double must be whole as it is written,
 * and within ±(2^53 - 1); a fraction may be rounded to the double next to it.
 */
export function isKeptByDouble(source: string): boolean {
  const value = Number(source);
  if (!Number.isFinite(value)) return false;
  if (!Number.isInteger(value)) return true;
  if (!Number.isSafeInteger(value)) return false;
  const [, whole = '', fraction = '', exponent = '0'] =
    /^-?(\d+)(?:\.(\d+))?(?:[eE](.+))?$/.exec(source) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  // Not by a pattern: it would try each zero of a long row anew.
  let length = digits.length;
  while (digits[length - 1] === '0') length -= 1;
  const significant = digits.slice(0, length);
  if (significant === '') return true;
  const zeros = Number(exponent) - fraction.length + digits.length - length;
  return zeros >= 0 && significant + '0'.repeat(zeros) === String(Math.abs(value));
}

function doubled(levels: Uint8Array): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(levels.length * 2);
  grown.set(levels);
  return grown;
}

function afterSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at] as number;
    if (byte > SPACE || (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
    at += 1;
  }
  return at;
}

/** Behind the name of a member, which must begin here. */
function afterNameAt(bytes: Buffer, start: number): number {
  if (start >= bytes.length || bytes[start] !== quote) throw new JsonTextError('syntax', start);
  return afterString(bytes, start);
}

function afterColon(bytes: Buffer, from: number): number {
  const at = afterSpace(bytes, from);
  if (at >= bytes.length || bytes[at] !== colon) throw new JsonTextError('syntax', at);
  return at + 1;
}

/** Behind the closing quote of the text that begins here. */
function afterString(bytes: Buffer, start: number): number {
  const { length } = bytes;
  let at = start + 1;
  while (at < length) {
    // Four at a time: most bytes of most payloads are those of texts.
    while (
      at + 4 <= length &&
      (IS_PLAIN[bytes[at] as number] as number) &
        (IS_PLAIN[bytes[at + 1] as number] as number) &
        (IS_PLAIN[bytes[at + 2] as number] as number) &
        (IS_PLAIN[bytes[at + 3] as number] as number)
    )
      at += 4;
    while (at < length && IS_PLAIN[bytes[at] as number] === 1) at += 1;
    const byte = at < length ? (bytes[at] as number) : 0;
    if (byte === quote) return at + 1;
    if (byte !== BACKSLASH) break;
    at = afterEscape(bytes, at + 1);
  }
  throw new JsonTextError('syntax', at);
}

function afterEscape(bytes: Buffer, at: number): number {
  switch (bytes[at]) {
    case quote:
    case BACKSLASH:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return at + 1;
    case 0x75:
      for (let i = 1; i <= 4; i += 1)
        if (!isHexDigit(bytes[at + i])) throw new JsonTextError('syntax', at + i);
      return at + 5;
    default:
      throw new JsonTextError('syntax', at);
  }
}

function isHexDigit(byte = 0): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

/** At least one must be there. */
function afterDigits(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= 0x39) at += 1;
  if (at === start) throw new JsonTextError('syntax', at);
  return at;
}

function afterWord(bytes: Buffer, start: number, word: string): number {
  for (let i = 0; i < word.length; i += 1)
    if (bytes[start + i] !== word.charCodeAt(i)) throw new JsonTextError('syntax', start + i);
  return start + word.length;
}

/**
 * Reads the status line of an answer from its bytes, beside the HTTP client's parser, so that an answer the parser
 * refuses still has its outcome: a destination that answered 200 took the webhook, whatever is wrong with its headers.
 *
 * It watches what a socket hands to its reader. Interim answers (1xx, except 101) say nothing about the webhook and are
 * removed: undici closes the connection for a 100 Continue that it did not ask for. All other bytes pass unchanged, and
 * the parser stays strict: it closes the connection of whatever it refuses, so nothing can be smuggled into the answer
 * to another request.
 */
import type { Socket } from 'node:net';
import { ANSWER_BYTES_MAX, HEADER_BYTES_MAX } from './deliver.ts';

const INTERIM = /^HTTP\/1\.\d 1(?!01)\d\d[ \r\n]/;
// What an interim answer begins with, as far as it can be told from this many bytes.
const INTERIM_BYTES = 13;
const INTERIM_BEGUN =
  /^(?:H|HT|HTT|HTTP|HTTP\/|HTTP\/1|HTTP\/1\.|HTTP\/1\.\d|HTTP\/1\.\d |HTTP\/1\.\d 1\d{0,2})$/;
const STATUS_LINE = /^HTTP\/1\.\d (\d{3})(?: [^\r\n]*)?\r?\n/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/;

const LF = 0x0a;
const CR = 0x0d;
const NOTHING = Buffer.alloc(0);

export interface ReadableHead {
  readonly statusCode: number;
  /** Those that are well-formed and came whole. */
  readonly headers: Readonly<Record<string, string>>;
}

export class AnswerHead {
  /** Received since the request began, interim answers included. */
  bytes = 0;
  #state: 'idle' | 'start' | 'interim' | 'head' | 'rest' = 'idle';
  // What has not been passed on: the beginning of what may be an interim answer.
  #held: Buffer = NOTHING;
  // The final answer from its first byte, until the parser has read its head.
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #onEndless: () => void = () => undefined;

  /**
   * A request is about to be sent: what comes from now on answers it. `onEndless` is called when a final answer is far
   * longer than the limits of header and body allow.
   */
  begin(onEndless: () => void): void {
    this.bytes = 0;
    this.#state = 'start';
    this.#held = NOTHING;
    this.#onEndless = onEndless;
    this.#forget();
  }

  /** The parser has read the head. */
  parsed(): void {
    if (this.#state === 'head') this.#state = 'rest';
    this.#forget();
  }

  /** What the final answer says, if its status line came whole. */
  read(): ReadableHead | undefined {
    const text = Buffer.concat(this.#received).toString('latin1');
    const statusCode = STATUS_LINE.exec(text)?.[1];
    if (statusCode === undefined) return undefined;
    const headers: Record<string, string> = Object.create(null);
    // What follows the last line's end did not come whole.
    const [, ...lines] = text.split('\n').slice(0, -1);
    for (const line of lines.map((ended) => ended.replace(/\r$/, ''))) {
      if (line === '') break;
      const [, name, value] = HEADER_LINE.exec(line) ?? [];
      if (name !== undefined && value !== undefined) headers[name.toLowerCase()] ??= value.trimEnd();
    }
    return { statusCode: Number(statusCode), headers };
  }

  /** Takes what came, gives what the parser is to see. */
  pass(chunk: Buffer): Buffer {
    this.bytes += chunk.length;
    switch (this.#state) {
      case 'idle':
        return chunk;
      case 'start':
      case 'interim':
        return this.#start(this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]));
      case 'head':
        return this.#keep(chunk);
      case 'rest':
        return this.#count(chunk);
    }
  }

  /** Between answers: `bytes` is what has not been passed on yet. */
  #start(bytes: Buffer): Buffer {
    let from = 0;
    // Of interim answers the end has been looked for up to here.
    let searched = this.#state === 'interim' ? this.#held.length : 0;
    for (;;) {
      if (this.#state === 'start') {
        // Parsers skip empty lines before an answer.
        while (bytes[from] === CR || bytes[from] === LF) from += 1;
        const begun = bytes.toString('latin1', from, from + INTERIM_BYTES);
        if (begun === '' || (begun.length < INTERIM_BYTES && INTERIM_BEGUN.test(begun))) break;
        if (!INTERIM.test(begun)) return this.#final(bytes.subarray(from));
        this.#state = 'interim';
        searched = from;
      }
      const end = endOfHead(bytes, Math.max(from, searched - 3));
      if (end === -1 && bytes.length - from > HEADER_BYTES_MAX) return this.#final(bytes.subarray(from));
      if (end === -1) break;
      from = end;
      this.#state = 'start';
    }
    this.#held = from === 0 ? bytes : bytes.subarray(from);
    return NOTHING;
  }

  #final(bytes: Buffer): Buffer {
    this.#held = NOTHING;
    this.#state = 'head';
    return this.#keep(bytes);
  }

  #keep(chunk: Buffer): Buffer {
    if (this.#receivedBytes < HEADER_BYTES_MAX) this.#received.push(chunk);
    return this.#count(chunk);
  }

  #count(chunk: Buffer): Buffer {
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > ANSWER_BYTES_MAX) this.#onEndless();
    return chunk;
  }

  #forget(): void {
    this.#received = [];
    this.#receivedBytes = 0;
  }
}

/** Behind the first empty line, or -1. */
function endOfHead(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

const heads = new WeakMap<Socket, AnswerHead>();

/** The head of the answers that come on this socket. Each socket is watched once, however often it is used. */
export function answerHeadOf(socket: Socket): AnswerHead {
  const known = heads.get(socket);
  if (known !== undefined) return known;
  const head = new AnswerHead();
  heads.set(socket, head);
  const push = socket.push.bind(socket);
  socket.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    if (chunk === null) return push(null);
    const passed = head.pass(chunk);
    return passed.length === 0 ? true : push(passed, encoding);
  };
  return head;
}

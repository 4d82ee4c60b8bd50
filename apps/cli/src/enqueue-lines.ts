/**
 * Enqueues lines of NDJSON, call by call, and says after each how far it is. A call that got no answer, or a 503, is
 * made again: the keys make that safe. Any other refusal ends the run, and names the lines at fault.
 */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api } from './api.ts';
import { type EnqueueState, keyOfLine } from './enqueue-state.ts';
import { RefusedError, UnreachableError } from './exit-status.ts';
import { afterPrefix, type InputLine, inGroups, inputLines } from './input-lines.ts';

export interface EnqueueLinesOptions {
  readonly producer: Api;
  readonly chunks: AsyncIterable<Buffer>;
  readonly state: EnqueueState;
  readonly webhooksPerCall: number;
  /** A producer that does not answer is asked again for so long. */
  readonly patienceMs: number;
  /** Told when a call's webhooks are in Redis. The next call waits for it. */
  readonly onSent: (state: EnqueueState) => Promise<void>;
  readonly onWaiting: (reason: string) => void;
}

// Of the 32 MiB that a bulk call may have: the keys add to it, and a single webhook may have a mebibyte.
const BYTES_PER_CALL = 16 * 1024 * 1024;
const RETRY_DELAY_MIN_MS = 100;
const RETRY_DELAY_MAX_MS = 2_000;

/** Resolves to where it ended. */
export async function enqueueLines(options: EnqueueLinesOptions): Promise<EnqueueState> {
  const { chunks, webhooksPerCall, onSent } = options;
  let state = options.state;
  const hash = createHash('sha256');
  const rest = afterPrefix(chunks, state.bytes, hash);
  let isPrefixChecked = false;
  const groups = inGroups(inputLines(rest, state.lines), {
    linesMax: webhooksPerCall,
    bytesMax: BYTES_PER_CALL,
  });
  const checkPrefix = () => {
    if (!isPrefixChecked && hash.copy().digest('hex') !== state.sha256)
      throw new Error(
        'the lines that were sent before have changed since: --again begins anew, and sends all of them',
      );
    isPrefixChecked = true;
  };
  for await (const group of groups) {
    checkPrefix();
    const webhooks = group.flatMap((line) => withKey(line, state));
    if (webhooks.length > 0) await send(webhooks, options);
    for (const { bytes } of group) hash.update(bytes);
    state = {
      run: state.run,
      lines: group.at(-1)?.number ?? state.lines,
      bytes: group.reduce((sum, { bytes }) => sum + bytes.length, state.bytes),
      webhooks: state.webhooks + webhooks.length,
      sha256: hash.copy().digest('hex'),
    };
    await onSent(state);
  }
  checkPrefix();
  return state;
}

interface KeyedWebhook {
  readonly line: number;
  readonly json: string;
}

/** Nothing for a blank line. A key that the line has of its own stays. */
function withKey({ number, bytes }: InputLine, state: EnqueueState): KeyedWebhook[] {
  if (!isUtf8(bytes))
    throw refusedLines([{ field: `line ${number}`, type: 'INVALID_VALUE', detail: 'is not valid UTF-8' }]);
  const text = bytes.toString('utf8').trim();
  if (text === '') return [];
  const webhook = parsed(text);
  if (typeof webhook !== 'object' || webhook === null || Array.isArray(webhook))
    throw refusedLines([{ field: `line ${number}`, type: 'INVALID_VALUE', detail: 'is no JSON object' }]);
  if ('idempotencyKey' in webhook) return [{ line: number, json: text }];
  const key = JSON.stringify(keyOfLine(state, number));
  const separator = Object.keys(webhook).length === 0 ? '' : ',';
  // Into the text as it stands: numbers keep digits that a parser would lose.
  return [{ line: number, json: text.replace('{', () => `{"idempotencyKey":${key}${separator}`) }];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function send(webhooks: readonly KeyedWebhook[], options: EnqueueLinesOptions): Promise<void> {
  const { producer, patienceMs, onWaiting } = options;
  const deadline = performance.now() + patienceMs;
  for (let delayMs = RETRY_DELAY_MIN_MS; ; delayMs = Math.min(2 * delayMs, RETRY_DELAY_MAX_MS)) {
    try {
      const lines = webhooks.map(({ json }) => json);
      await producer.postNdjson('/v1/webhooks/bulk', lines);
      return;
    } catch (error) {
      if (!mayWorkLater(error)) throw withLineNumbers(error, webhooks);
      if (performance.now() + delayMs > deadline) throw error;
      onWaiting((error as Error).message);
    }
    await sleep(delayMs);
  }
}

function mayWorkLater(error: unknown): boolean {
  return error instanceof UnreachableError || (error instanceof RefusedError && error.problem.status >= 500);
}

/** The producer counts from the beginning of the call; whoever mends the file, by its lines. */
function withLineNumbers(error: unknown, webhooks: readonly KeyedWebhook[]): unknown {
  if (!(error instanceof RefusedError)) return error;
  const errors = (error.problem.errors ?? []).map((fault) => {
    const [, at, field = ''] = /^webhooks\[(\d+)\]\.?(.*)$/.exec(fault.field) ?? [];
    const line = at === undefined ? undefined : webhooks[Number(at)]?.line;
    if (line === undefined) return fault;
    return { ...fault, field: field === '' ? `line ${line}` : `line ${line}, ${field}` };
  });
  return errors.length === 0 ? error : new RefusedError({ ...error.problem, errors });
}

function refusedLines(errors: NonNullable<RefusedError['problem']['errors']>): RefusedError {
  return new RefusedError({
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: 'Some lines are at fault.',
    errors,
  });
}

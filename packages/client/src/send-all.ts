/**
 * A source in calls of many items, and what became of each item in order. An item that is refused does not hold up the
 * others of its call: nothing of a refused call was enqueued, so the call is made again without it.
 */
import type { BulkOptions, BulkResult, Source } from './client.ts';
import { RefusedError } from './errors.ts';
import { gather } from './gather.ts';
import { inOrder } from './in-order.ts';

export interface SendAllOptions<Item, Done> extends BulkOptions {
  /** The item's JSON. Throws RefusedError where there is none. */
  readonly toText: (item: Item) => string;
  /** A call and its tries: what became of each text, in order. */
  readonly call: (texts: readonly string[], signal: AbortSignal) => Promise<readonly Done[]>;
}

const CONCURRENCY = 4;
const CALL_ITEMS_MAX = 1_000;
const CALL_BYTES_MAX = 4 * 1024 * 1024;
const MAX_WAIT_MS = 20;

/** An item on its way. */
interface Piece<Item> {
  readonly item: Item;
  readonly index: number;
  readonly text: string | RefusedError;
  /** With the comma behind it. */
  readonly bytes: number;
}

export async function* sendAll<Item, Done extends object>(
  source: Source<Item>,
  options: SendAllOptions<Item, Done>,
): AsyncGenerator<BulkResult<Item, Done>, void, undefined> {
  const {
    toText,
    call,
    signal,
    concurrency = CONCURRENCY,
    callItemsMax = CALL_ITEMS_MAX,
    callBytesMax = CALL_BYTES_MAX,
    maxWaitMs = MAX_WAIT_MS,
  } = options;
  checkCount({ concurrency });
  checkCount({ callItemsMax }, CALL_ITEMS_MAX);
  checkCount({ callBytesMax });
  signal?.throwIfAborted();
  const ending = new AbortController();
  const onAbort = () => ending.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    let count = 0;
    const groups = gather(source, {
      itemsMax: callItemsMax,
      bytesMax: callBytesMax,
      maxWaitMs,
      toPiece: (item) => toPiece(item, count++, toText),
      signal: ending.signal,
    });
    const results = inOrder(groups, {
      send: (group) => sendGroup(group, (texts) => call(texts, ending.signal)),
      concurrency,
      end: () => ending.abort(),
    });
    for await (const group of results) {
      for (const result of group) {
        signal?.throwIfAborted();
        yield result;
      }
    }
    signal?.throwIfAborted();
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

async function sendGroup<Item, Done extends object>(
  group: readonly Piece<Item>[],
  call: (texts: readonly string[]) => Promise<readonly Done[]>,
): Promise<BulkResult<Item, Done>[]> {
  const results = new Array<BulkResult<Item, Done>>(group.length);
  const refuse = (at: number, refused: RefusedError) => {
    const { item, index } = group[at] as Piece<Item>;
    results[at] = { item, index, refused };
  };
  let left: number[] = [];
  for (const [at, { text }] of group.entries()) {
    if (typeof text === 'string') left.push(at);
    else refuse(at, text);
  }
  while (left.length > 0) {
    try {
      const done = await call(left.map((at) => group[at]?.text as string));
      for (const [i, at] of left.entries()) {
        const { item, index } = group[at] as Piece<Item>;
        results[at] = { item, index, ...(done[i] as Done) };
      }
      break;
    } catch (error) {
      const refusals = refusalsByItem(error, left.length);
      if (refusals.size === 0) throw error;
      for (const [i, refused] of refusals) refuse(left[i] as number, refused);
      left = left.filter((_, i) => !refusals.has(i));
    }
  }
  return results;
}

/** By place in the call; empty where what is wrong is no item's. */
function refusalsByItem(error: unknown, items: number): Map<number, RefusedError> {
  const byItem = new Map<number, RefusedError>();
  if (!(error instanceof RefusedError)) return byItem;
  const { problem, errors } = error;
  const faults = new Map<number, (typeof errors)[number][]>();
  for (const fault of errors) {
    const [, at = '', field = ''] = /^(?:webhooks|events)\[(\d+)\]\.?(.*)$/.exec(fault.field) ?? [];
    if (at !== '') faults.set(Number(at), [...(faults.get(Number(at)) ?? []), { ...fault, field }]);
  }
  // The detail of a call may tell of its other items.
  const detail = 'Some fields are at fault.';
  for (const [at, own] of faults) byItem.set(at, new RefusedError({ ...problem, detail, errors: own }));
  // Alone in its call: it is too large for the producer or a proxy, if not at fault itself.
  if (byItem.size === 0 && items === 1 && problem.status === 413) byItem.set(0, error);
  return byItem;
}

function toPiece<Item>(item: Item, index: number, toText: (item: Item) => string): Piece<Item> {
  try {
    const text = toText(item);
    return { item, index, text, bytes: Buffer.byteLength(text) + 1 };
  } catch (error) {
    if (error instanceof RefusedError) return { item, index, text: error, bytes: 0 };
    throw error;
  }
}

function checkCount(named: Readonly<Record<string, number>>, max = Number.MAX_SAFE_INTEGER): void {
  for (const [name, value] of Object.entries(named)) {
    if (!Number.isInteger(value) || value < 1 || value > max)
      throw new TypeError(
        `${name} must be a whole number from 1${max < Number.MAX_SAFE_INTEGER ? ` to ${max}` : ''}`,
      );
  }
}

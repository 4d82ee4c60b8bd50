/**
 * Reads a source into groups, each of which leaves when it is full, or when its first item has waited for long enough:
 * a slow source is not held up by the size that a fast one is given. At most one item is read ahead of a group.
 */
export interface GatherOptions<Item, Piece extends { readonly bytes: number }> {
  readonly itemsMax: number;
  readonly bytesMax: number;
  readonly maxWaitMs: number;
  /** An item as it is gathered. Called once for each, in order. */
  readonly toPiece: (item: Item) => Piece;
  /** Ends the reading, also while the source is silent. */
  readonly signal: AbortSignal;
}

/** What was read before the source failed still comes, and then its error. */
export async function* gather<Item, Piece extends { readonly bytes: number }>(
  source: Iterable<Item> | AsyncIterable<Item>,
  { itemsMax, bytesMax, maxWaitMs, toPiece, signal }: GatherOptions<Item, Piece>,
): AsyncGenerator<Piece[], void, undefined> {
  const reader = openReader(source);
  let group: Piece[] = [];
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  // One promise for each wait: a race with one that outlives them would keep something of every item.
  let wake: (why: 'time up' | 'aborted') => void = () => undefined;
  const onAbort = () => wake('aborted');
  signal.addEventListener('abort', onAbort, { once: true });

  const leave = () => {
    const leaving = group;
    group = [];
    bytes = 0;
    clearTimeout(timer);
    return leaving;
  };
  try {
    while (!signal.aborted) {
      const reading = reader.read();
      const next =
        reading instanceof Promise
          ? await new Promise<Read<Item> | 'time up' | 'aborted'>((resolve) => {
              wake = resolve;
              void reading.then(resolve);
            })
          : reading;
      if (next === 'aborted') return;
      if (next === 'time up') {
        yield leave();
        continue;
      }
      reader.taken();
      if (!('item' in next)) {
        if (group.length > 0) yield leave();
        if ('error' in next) throw next.error;
        return;
      }
      const piece = toPiece(next.item);
      if (group.length > 0 && bytes + piece.bytes > bytesMax) yield leave();
      if (group.length === 0 && reader.isLive) timer = setTimeout(() => wake('time up'), maxWaitMs);
      group.push(piece);
      bytes += piece.bytes;
      if (group.length >= itemsMax || bytes >= bytesMax) yield leave();
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    reader.close();
  }
}

type Read<Item> = { readonly item: Item } | { readonly error: unknown } | { readonly ended: true };

interface Reader<Item> {
  /** Its items come later; those of an array are there, and cost no wait. */
  readonly isLive: boolean;
  /** The same until it is taken. An error is a value: it may come while nobody waits for it. */
  read(): Read<Item> | Promise<Read<Item>>;
  taken(): void;
  /** Does not wait: a source that is silent may never answer. */
  close(): void;
}

function openReader<Item>(source: Iterable<Item> | AsyncIterable<Item>): Reader<Item> {
  let isEnded = false;
  const toRead = ({ done, value }: IteratorResult<Item, unknown>): Read<Item> => {
    if (!done) return { item: value };
    isEnded = true;
    return { ended: true };
  };
  const failed = (error: unknown): Read<Item> => {
    isEnded = true;
    return { error };
  };
  if (!(Symbol.asyncIterator in source)) {
    const iterator = source[Symbol.iterator]();
    return {
      isLive: false,
      read() {
        try {
          return toRead(iterator.next());
        } catch (error) {
          return failed(error);
        }
      },
      taken: () => undefined,
      close: () => void (isEnded || iterator.return?.()),
    };
  }
  const iterator = source[Symbol.asyncIterator]();
  let reading: Promise<Read<Item>> | undefined;
  return {
    isLive: true,
    read() {
      reading ??= iterator.next().then(toRead, failed);
      return reading;
    },
    taken() {
      reading = undefined;
    },
    close() {
      if (!isEnded) iterator.return?.().catch(() => undefined);
    },
  };
}

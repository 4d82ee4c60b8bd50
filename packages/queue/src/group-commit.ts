/**
 * Group commit, as databases do it: whoever adds an item waits until it is written, but the items of many callers
 * go out in one write. A group leaves when it is full, or `lingerMs` after its first item. At most `writesMax`
 * writes are under way; items that come meanwhile gather for the next.
 */
export interface GroupCommit<T> {
  /** Resolves when the item's group is written; rejects with the write's error. */
  add(item: T): Promise<void>;
  /** Resolves when everything added so far is written or has failed. */
  drain(): Promise<void>;
}

export interface GroupCommitOptions<T> {
  readonly write: (items: T[]) => Promise<void>;
  readonly itemsMax: number;
  readonly lingerMs: number;
  readonly writesMax: number;
}

interface Group<T> {
  readonly items: T[];
  readonly written: PromiseWithResolvers<void>;
}

export function createGroupCommit<T>({
  write,
  itemsMax,
  lingerMs,
  writesMax,
}: GroupCommitOptions<T>): GroupCommit<T> {
  let gathering: Group<T> | undefined;
  let lingering: NodeJS.Timeout | undefined;
  const full: Group<T>[] = [];
  const underWay = new Set<Promise<void>>();

  function close(): void {
    clearTimeout(lingering);
    lingering = undefined;
    if (gathering !== undefined) full.push(gathering);
    gathering = undefined;
    startWrites();
  }

  function startWrites(): void {
    while (underWay.size < writesMax) {
      const group = full.shift();
      if (group === undefined) return;
      const writing = write(group.items)
        .then(group.written.resolve, group.written.reject)
        .finally(() => {
          underWay.delete(writing);
          startWrites();
        });
      underWay.add(writing);
    }
  }

  return {
    add(item) {
      if (gathering === undefined) {
        gathering = { items: [], written: Promise.withResolvers() };
        lingering = setTimeout(close, lingerMs);
      }
      const { items, written } = gathering;
      items.push(item);
      if (items.length >= itemsMax) close();
      return written.promise;
    },
    async drain() {
      close();
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

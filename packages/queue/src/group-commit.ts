/**
 * Group commit, as databases do it: whoever adds an item waits until it is written, but the items of many callers
 * go out in one write. A group leaves when it is full, or `lingerMs` after its first item. At most `writesMax`
 * writes are under way; items that come meanwhile gather for the next: the busier Redis is, the larger are the groups.
 */
export interface GroupCommit<T, R = void> {
  /** Resolves when the item's group is written, with what the write returned; rejects with the write's error. */
  add(item: T): Promise<R>;
  /** Resolves when everything added so far is written or has failed. */
  drain(): Promise<void>;
}

export interface GroupCommitOptions<T, R> {
  readonly write: (items: T[]) => Promise<R>;
  readonly itemsMax: number;
  readonly lingerMs: number;
  readonly writesMax: number;
  /**
   * A write that fails fails what waits for its place too: for callers to whom an answer is promised in time, who would
   * else wait for one failing write after the other.
   */
  readonly failsWaiting?: boolean;
}

interface Group<T, R> {
  readonly items: T[];
  readonly written: PromiseWithResolvers<R>;
}

export function createGroupCommit<T, R = void>({
  write,
  itemsMax,
  lingerMs,
  writesMax,
  failsWaiting = false,
}: GroupCommitOptions<T, R>): GroupCommit<T, R> {
  let gathering: Group<T, R> | undefined;
  // Its time is over, but it may grow until there is room for its write.
  let isDue = false;
  let lingering: NodeJS.Timeout | undefined;
  const full: Group<T, R>[] = [];
  const underWay = new Set<Promise<void>>();

  function close(): void {
    clearTimeout(lingering);
    if (gathering !== undefined) full.push(gathering);
    gathering = undefined;
    isDue = false;
  }

  function startWrites(): void {
    while (underWay.size < writesMax) {
      if (full.length === 0 && isDue) close();
      const group = full.shift();
      if (group === undefined) return;
      const writing = write(group.items)
        .then(group.written.resolve, (error: Error) => {
          group.written.reject(error);
          if (failsWaiting) failAll(error);
        })
        .finally(() => {
          underWay.delete(writing);
          startWrites();
        });
      underWay.add(writing);
    }
  }

  function failAll(error: Error): void {
    close();
    for (const { written } of full.splice(0)) written.reject(error);
  }

  return {
    add(item) {
      if (gathering === undefined) {
        gathering = { items: [], written: Promise.withResolvers() };
        lingering = setTimeout(() => {
          isDue = true;
          startWrites();
        }, lingerMs);
      }
      const { items, written } = gathering;
      items.push(item);
      if (items.length >= itemsMax) {
        close();
        startWrites();
      }
      return written.promise;
    },
    async drain() {
      close();
      startWrites();
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

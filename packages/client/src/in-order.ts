/**
 * Sends groups several at once, and gives what came of them in their order. A group counts as under way until its
 * results are taken, so that whoever takes them slowly slows the reading of groups too.
 */
export interface InOrderOptions<Group, Result> {
  readonly send: (group: Group) => Promise<Result>;
  readonly concurrency: number;
  /** Ends `groups`. */
  readonly end: () => void;
}

/** Throws what `send` rejects with, and what `groups` ends with once the results before it were taken. */
export async function* inOrder<Group, Result>(
  groups: AsyncIterable<Group>,
  { send, concurrency, end }: InOrderOptions<Group, Result>,
): AsyncGenerator<Result, void, undefined> {
  const underWay: Promise<Result>[] = [];
  let failure: { readonly error: unknown } | undefined;
  let isRead = false;
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };

  async function pump(): Promise<void> {
    for await (const group of groups) {
      const sending = send(group);
      // It may fail before its turn: whoever takes it is told.
      sending.catch(() => undefined);
      underWay.push(sending);
      change();
      while (underWay.length >= concurrency) await changed.promise;
    }
  }
  const pumping = pump()
    .catch((error: unknown) => {
      failure = { error };
    })
    .finally(() => {
      isRead = true;
      change();
    });

  try {
    for (;;) {
      const [head] = underWay;
      if (head !== undefined) {
        const result = await head;
        yield result;
        underWay.shift();
        change();
      } else if (isRead) break;
      else await changed.promise;
    }
    await pumping;
    if (failure !== undefined) throw failure.error;
  } finally {
    end();
    underWay.length = 0;
    change();
  }
}

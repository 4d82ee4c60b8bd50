/**
 * What open pages watch. Each topic is read once a second by this process, however many watch it, and told to them
 * where it has changed. Who comes later is told at once what was read last.
 */
export interface LiveTopics {
  /** `tell` gets the topic's state as JSON, now and after each change. Returns the end of it. */
  watch(topic: Topic, tell: (event: string, json: string) => void): () => void;
  /** Reads no more. */
  stop(): void;
}

export type Topic =
  | { readonly name: 'campaign'; readonly campaignId: string }
  | { readonly name: 'campaigns' }
  | { readonly name: 'fleet' };

export interface LiveTopicsOptions {
  readonly read: (topic: Topic) => Promise<unknown>;
  readonly onError: (error: Error) => void;
}

const POLL_INTERVAL_MS = 1_000;

interface Watched {
  readonly topic: Topic;
  readonly watchers: Set<(event: string, json: string) => void>;
  latest: string | undefined;
}

export function createLiveTopics({ read, onError }: LiveTopicsOptions): LiveTopics {
  const watched = new Map<string, Watched>();
  let isAway = false;
  let polling = false;
  let timer: NodeJS.Timeout | undefined;

  async function pollOne(one: Watched): Promise<void> {
    const json = JSON.stringify((await read(one.topic)) ?? null);
    if (json === one.latest) return;
    one.latest = json;
    for (const tell of one.watchers) tell(one.topic.name, json);
  }

  async function poll(topics: Iterable<Watched>): Promise<void> {
    const results = await Promise.allSettled([...topics].map(pollOne));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined && !isAway) onError(failed.reason as Error);
    if (isAway === (failed !== undefined)) return;
    isAway = failed !== undefined;
    const json = JSON.stringify({ stale: isAway });
    for (const { watchers } of watched.values()) for (const tell of watchers) tell('stale', json);
  }

  function pollAll(): void {
    // While Redis is slow, one round at a time.
    if (polling) return;
    polling = true;
    void poll(watched.values()).finally(() => {
      polling = false;
    });
  }

  return {
    watch(topic, tell) {
      const key = JSON.stringify(topic);
      let one = watched.get(key);
      if (one === undefined) {
        one = { topic, watchers: new Set(), latest: undefined };
        watched.set(key, one);
        void poll([one]);
      }
      one.watchers.add(tell);
      if (one.latest !== undefined) tell(topic.name, one.latest);
      // Else who comes now would take what was read last for the present, or wait without a word.
      if (isAway) tell('stale', JSON.stringify({ stale: true }));
      timer ??= setInterval(pollAll, POLL_INTERVAL_MS);
      const { watchers } = one;
      return () => {
        watchers.delete(tell);
        if (watchers.size === 0 && watched.get(key)?.watchers === watchers) watched.delete(key);
        if (watched.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      watched.clear();
    },
  };
}

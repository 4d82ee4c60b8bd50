/**
 * Notices campaigns whose last pending message has ended. A campaign is looked at a moment after its pending messages
 * reached none, so that one that sends now and then isn't called complete between two of its webhooks; and those whose
 * watcher died are found when the fleet is at rest (queue-sampler.ts).
 */
export interface CompletionWatch {
  /** The campaign had no message pending when a part of it was counted. */
  noticed(campaignId: string): void;
  stop(): Promise<void>;
}

export interface CompletionWatchOptions {
  /** Closes the campaign unless messages are pending. */
  readonly close: (campaignId: string) => Promise<unknown>;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

const LOOK_AFTER_MS = 1_000;
// Campaigns that wait to be looked at; what is beyond is left to the sampler.
const CAMPAIGNS_MAX = 10_000;

export function startCompletionWatch({ close, onError }: CompletionWatchOptions): CompletionWatch {
  let noticed = new Set<string>();
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const campaigns = noticed;
    noticed = new Set();
    for (const campaignId of campaigns) await close(campaignId);
  }

  const timer = setInterval(() => {
    // While Redis is slow, one look at a time.
    looking ??= look()
      .catch((error: Error) => onError(error, { doing: 'close campaigns' }))
      .finally(() => {
        looking = undefined;
      });
  }, LOOK_AFTER_MS);

  return {
    noticed(campaignId) {
      if (noticed.size < CAMPAIGNS_MAX) noticed.add(campaignId);
    },
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

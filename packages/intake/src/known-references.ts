/**
 * What external references stand for, without a question to Redis for each event: a campaign's or a channel's answer
 * is believed for a second. Unknown references of campaigns are asked for each time, the channels once a second. What an
 * event tells is written each time: another producer may have written another campaign since.
 */
import { type CampaignReferences, type Channels, UNREADABLE } from '@hookfleet/queue';

const FRESH_MS = 1_000;
const REFERENCES_MAX = 10_000;

export interface KnownReferences {
  /** Those of the references that are known, with their campaigns. */
  campaigns(references: ReadonlySet<string>): Promise<ReadonlyMap<string, string>>;
  /** Resolves when every reference stands for its campaign, for every producer. */
  learn(campaigns: ReadonlyMap<string, string>): Promise<void>;
  /** Channels by their externalReferenceId. */
  channels(): Promise<ReadonlyMap<string, string>>;
}

export interface KnownReferencesOptions {
  readonly store: CampaignReferences;
  readonly channels: Pick<Channels, 'list'>;
  readonly now: () => number;
}

export function createKnownReferences({ store, channels, now }: KnownReferencesOptions): KnownReferences {
  const campaigns = new Map<string, { campaignId: string; atMs: number }>();
  let listed: Promise<ReadonlyMap<string, string>> | undefined;
  let listedAtMs = Number.NEGATIVE_INFINITY;

  function remember(found: ReadonlyMap<string, string>): void {
    for (const [reference, campaignId] of found) {
      campaigns.delete(reference);
      campaigns.set(reference, { campaignId, atMs: now() });
    }
    while (campaigns.size > REFERENCES_MAX) campaigns.delete(campaigns.keys().next().value as string);
  }

  function fresh(reference: string): string | undefined {
    const known = campaigns.get(reference);
    return known !== undefined && now() - known.atMs < FRESH_MS ? known.campaignId : undefined;
  }

  return {
    async campaigns(references) {
      // One look: what ages or is dropped while Redis answers would be in neither half.
      const known = new Map<string, string>();
      const unsure: string[] = [];
      for (const reference of references) {
        const campaignId = fresh(reference);
        if (campaignId === undefined) unsure.push(reference);
        else known.set(reference, campaignId);
      }
      const found = await store.find(unsure);
      remember(found);
      return new Map([...known, ...found]);
    },
    async learn(told) {
      await store.store(told);
      remember(told);
    },
    channels() {
      if (listed === undefined || now() - listedAtMs >= FRESH_MS) {
        listedAtMs = now();
        listed = channels.list().then(byReference);
        // A failure is not remembered: the next event asks again.
        listed.catch(() => {
          listed = undefined;
        });
      }
      return listed;
    },
  };
}

function byReference(all: Awaited<ReturnType<Channels['list']>>): ReadonlyMap<string, string> {
  return new Map(
    all.flatMap(({ channelConfigId, channel }): [string, string][] =>
      channel === UNREADABLE || channel.externalReferenceId === undefined
        ? []
        : [[channel.externalReferenceId, channelConfigId]],
    ),
  );
}

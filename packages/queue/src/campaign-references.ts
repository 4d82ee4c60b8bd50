/**
 * Which campaign an external system's reference stands for, as custom events with both of them told: a key for each
 * reference, that goes when nobody has named it for longer than a campaign's totals are kept. The latest word stands.
 */
import type { RedisConnection } from './connection.ts';
import { campaignReferenceKey, fleetSettingsKey } from './keys.ts';
import type { ReplicaWait } from './replica-wait.ts';

// As HOOKFLEET_RETENTION_CAMPAIGNS has it unless it is changed: a reference that outlives its campaign does no harm.
const KEPT_MS = 730 * 86_400_000;

export interface CampaignReferences {
  /** Those of the references that are known, with their campaigns. */
  find(references: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** By reference: the campaign that it stands for from now on. */
  store(campaigns: ReadonlyMap<string, string>): Promise<void>;
}

export function openCampaignReferences({
  connection,
  prefix,
  untilReplicated,
}: {
  readonly connection: RedisConnection;
  readonly prefix: string;
  /** Asked before `store` returns, if an operator wants it. */
  readonly untilReplicated?: ReplicaWait | undefined;
}): CampaignReferences {
  return {
    async find(references) {
      if (references.length === 0) return new Map();
      const campaignIds = await connection.mget(
        ...references.map((reference) => campaignReferenceKey(prefix, reference)),
      );
      const known = references.flatMap((reference, i): [string, string][] => {
        const campaignId = campaignIds[i];
        return campaignId === null || campaignId === undefined ? [] : [[reference, campaignId]];
      });
      return new Map(known);
    },
    async store(campaigns) {
      if (campaigns.size === 0) return;
      const untilKept = untilReplicated?.begin();
      const change = connection.multi();
      for (const [reference, campaignId] of campaigns)
        change.set(campaignReferenceKey(prefix, reference), campaignId, 'PX', KEPT_MS);
      await change.exec();
      await untilKept?.([fleetSettingsKey(prefix)]);
    },
  };
}

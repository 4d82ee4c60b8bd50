/**
 * The controls of campaigns that have any, in one hash with a version: a worker asks for the version every second and
 * reads the hash when it has changed. That a campaign is paused stands among the circuits (circuits.ts), for its lane.
 */
import type { CampaignControls, CampaignPriority } from '@hookfleet/contract';
import type { RedisConnection } from './connection.ts';
import { createReadStored, type OnUnreadable, readAll } from './read-stored.ts';
import { controlsKey, controlsVersionKey, prioritiesKey } from './keys.ts';

export interface StoredControls extends CampaignControls {
  /** What waits, and what comes, is counted as cancelled and not sent. */
  readonly cancelledAtMs?: number;
}

export interface CampaignControlsStore {
  get(campaignId: string): Promise<StoredControls>;
  /** Replaces them. */
  put(campaignId: string, controls: StoredControls): Promise<void>;
  version(): Promise<string>;
  all(): Promise<ReadonlyMap<string, StoredControls>>;
}

// What a webhook costs its campaign in a lane: where both wait, sixteen of a high one go for each of a normal one.
const LANE_COSTS: Readonly<Record<CampaignPriority, number>> = { high: 1 / 16, normal: 1, low: 16 };

export function openCampaignControls({
  connection,
  prefix,
  onError,
}: {
  connection: RedisConnection;
  prefix: string;
  /** Told of entries that can't be read: their campaigns have no controls. */
  onError?: OnUnreadable;
}): CampaignControlsStore {
  const read = createReadStored<StoredControls>("a campaign's controls", onError);
  const key = controlsKey(prefix);
  return {
    async get(campaignId) {
      const text = await connection.hget(key, campaignId);
      return text === null ? {} : (read(campaignId, text) ?? {});
    },
    async put(campaignId, controls) {
      const change = connection.multi();
      if (Object.keys(controls).length === 0) change.hdel(key, campaignId);
      else change.hset(key, campaignId, JSON.stringify(controls));
      // Lanes read it as they release: it counts for what is parked already.
      const { priority = 'normal' } = controls;
      if (priority === 'normal') change.hdel(prioritiesKey(prefix), campaignId);
      else change.hset(prioritiesKey(prefix), campaignId, LANE_COSTS[priority]);
      await change.incr(controlsVersionKey(prefix)).exec();
    },
    async version() {
      return (await connection.get(controlsVersionKey(prefix))) ?? '';
    },
    async all() {
      return readAll(await connection.hgetall(key), read);
    },
  };
}

/** Where the webhooks of a campaign wait that is paused, or has a rate. */
export function campaignLane(campaignId: string): string {
  return `campaign:${campaignId}`;
}

/** Undefined for a lane that is no campaign's. */
export function campaignOfLane(lane: string): string | undefined {
  return lane.startsWith('campaign:') ? lane.slice('campaign:'.length) : undefined;
}

/**
 * The channels that webhooks are sent to. A busy channel costs one read in two seconds instead of one per webhook. A change
 * arrives with the changes of controls (known-controls.ts), and the channel is then read again.
 */
import type { Batching, Channel } from '@hookfleet/contract';
import { type Channels, channelOfLane, type LaneLimits } from '@hookfleet/queue';
import { laneLimits, NO_LIMITS } from './lane-limits.ts';

const FRESH_MS = 2_000;
const CHANNELS_MAX = 1_000;

/** The id was accepted with a webhook, so it has existed: Redis lost it, or somebody removed it by hand. */
export class ChannelMissingError extends Error {
  override readonly name = 'ChannelMissingError';
}

export interface ChannelCache {
  /** Throws ChannelMissingError, or Redis' error. */
  get(channelConfigId: string): Promise<Channel>;
  /** Undefined if the channel sends no batches, or is missing: then its webhooks go on by themselves. */
  batchingOf(channelConfigId: string): Promise<Batching | undefined>;
  /** Of a channel's lane; an inline destination's has none. */
  limitsOf(lane: string): Promise<LaneLimits>;
  /** The channel of the lane has changed; undefined: any may have. */
  changed(lane: string | undefined): void;
}

export function createChannelCache(
  channels: Pick<Channels, 'getForDelivery'>,
  now: () => number = Date.now,
): ChannelCache {
  // The promise is kept, not the channel: a burst of webhooks shares one read.
  const entries = new Map<string, { readonly readAt: number; readonly channel: Promise<Channel> }>();

  async function read(id: string): Promise<Channel> {
    const channel = await channels.getForDelivery(id);
    if (channel === undefined) throw new ChannelMissingError(`channel ${id} is not stored`);
    return channel;
  }

  function get(id: string): Promise<Channel> {
    const entry = entries.get(id);
    if (entry !== undefined && now() - entry.readAt < FRESH_MS) return entry.channel;
    const channel = read(id);
    channel.catch(() => entries.delete(id));
    entries.delete(id);
    entries.set(id, { readAt: now(), channel });
    if (entries.size > CHANNELS_MAX) entries.delete(entries.keys().next().value as string);
    return channel;
  }

  async function getIfStored(id: string): Promise<Channel | undefined> {
    try {
      return await get(id);
    } catch (error) {
      if (error instanceof ChannelMissingError) return undefined;
      throw error;
    }
  }

  return {
    get,
    batchingOf: async (id) => (await getIfStored(id))?.batch,
    async limitsOf(lane) {
      const id = channelOfLane(lane);
      if (id === undefined) return NO_LIMITS;
      const channel = await getIfStored(id);
      // What waits for one that is missing is let go, to end as a dead letter.
      return channel === undefined ? NO_LIMITS : laneLimits(channel);
    },
    changed(lane) {
      const id = lane === undefined ? undefined : channelOfLane(lane);
      if (id !== undefined) entries.delete(id);
      else if (lane === undefined) entries.clear();
    },
  };
}

/**
 * Where channels are stored: one hash, so that listing needs no index. A deleted channel stays behind a mark: it
 * takes no new webhooks, but those accepted before are still delivered with its last configuration.
 */
import type { Channel } from '@hookfleet/contract';
import type { RedisConnection } from './connection.ts';
import { laneOf } from './circuits.ts';
import { controlsKeys } from './keys.ts';
import { isOfLaterVersion, refuseLaterVersion } from './later-version.ts';
import { createReadStored, type OnUnreadable } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';
import type { SecretBox } from './secret-box.ts';

const CHANNEL_VERSION = 1;

interface StoredChannel {
  readonly version: typeof CHANNEL_VERSION;
  readonly channel: Channel;
  readonly deleted?: true;
}

/** What closed it is not among our keys, or was tampered with. It can be replaced and deleted. */
export const UNREADABLE = 'unreadable';

/** Thrown where a channel is needed and is UNREADABLE. */
export class ChannelUnreadableError extends Error {
  override readonly name = 'ChannelUnreadableError';
}

/** Calls that need to know one that a later version wrote throw LaterVersionError: it is not overwritten either. */
export interface Channels {
  put(channelConfigId: string, channel: Channel): Promise<'created' | 'replaced'>;
  /** With its secrets: whoever shows it masks them. Undefined where it doesn't exist or is deleted. */
  get(channelConfigId: string): Promise<Channel | typeof UNREADABLE | undefined>;
  /** For webhooks that were accepted: a deleted channel's last configuration too. May throw ChannelUnreadableError. */
  getForDelivery(channelConfigId: string): Promise<Channel | undefined>;
  list(): Promise<{ channelConfigId: string; channel: Channel | typeof UNREADABLE }[]>;
  /** False where there was none. */
  delete(channelConfigId: string): Promise<boolean>;
  /** Those of the ids that take webhooks. */
  exists(channelConfigIds: readonly string[]): Promise<Set<string>>;
}

export function openChannels({
  connection,
  prefix,
  secrets,
  onError,
}: {
  connection: RedisConnection;
  prefix: string;
  secrets: SecretBox;
  /** Told of entries that can't be read: they are taken for channels that there are not. */
  onError?: OnUnreadable;
}): Channels {
  const { channels: key, version, changes, dueLanes } = controlsKeys(prefix);
  defineScripts(connection);

  // Closed whole: headers and URLs hold secrets too, and which ones is not ours to guess.
  const readStored = createReadStored<StoredChannel>(
    'a channel',
    onError,
    ({ channel, deleted }) => deleted === true || typeof channel?.url === 'string',
  );
  function parse(id: string, text: string): StoredChannel | typeof UNREADABLE | undefined {
    let opened: string;
    try {
      opened = secrets.open(text, { channelConfigId: id });
    } catch {
      return UNREADABLE;
    }
    return readStored(id, opened);
  }

  async function read(id: string): Promise<StoredChannel | typeof UNREADABLE | undefined> {
    const text = await connection.hget(key, id);
    const stored = text === null ? undefined : parse(id, text);
    if (stored !== UNREADABLE) refuseLaterVersion(`channel ${id}`, stored, CHANNEL_VERSION);
    return stored;
  }

  async function write(
    id: string,
    stored: StoredChannel | Omit<Required<StoredChannel>, 'channel'>,
  ): Promise<void> {
    await runScript(
      connection,
      'putChannel',
      [key, version, changes, dueLanes],
      [id, secrets.seal(JSON.stringify(stored), { channelConfigId: id }), laneOf(id, '')],
    );
  }

  return {
    async put(id, channel) {
      const existing = await read(id);
      await write(id, { version: CHANNEL_VERSION, channel });
      return existing === undefined || isDeleted(existing) ? 'created' : 'replaced';
    },
    async get(id) {
      const stored = await read(id);
      if (stored === UNREADABLE) return UNREADABLE;
      return stored?.deleted ? undefined : stored?.channel;
    },
    async getForDelivery(id) {
      const stored = await read(id);
      if (stored === UNREADABLE)
        throw new ChannelUnreadableError(
          `channel ${id} can't be read: its key is not among HOOKFLEET_ENCRYPTION_KEYS`,
        );
      return stored?.channel;
    },
    async list() {
      return Object.entries(await connection.hgetall(key))
        .flatMap(([channelConfigId, text]) => {
          const stored = parse(channelConfigId, text);
          if (stored === UNREADABLE) return { channelConfigId, channel: UNREADABLE } as const;
          if (stored === undefined || stored.deleted || isOfLaterVersion(stored, CHANNEL_VERSION)) return [];
          return { channelConfigId, channel: stored.channel };
        })
        .sort((a, b) => a.channelConfigId.localeCompare(b.channelConfigId, 'en', { numeric: true }));
    },
    async delete(id) {
      const stored = await read(id);
      if (stored === undefined || isDeleted(stored)) return false;
      // What was accepted for one that nobody can read becomes dead letters.
      const left = stored === UNREADABLE ? ({ version: CHANNEL_VERSION } as const) : stored;
      await write(id, { ...left, deleted: true });
      return true;
    },
    async exists(ids) {
      if (ids.length === 0) return new Set();
      const texts = await connection.hmget(key, ...ids);
      return new Set(
        ids.filter((id, i) => {
          const stored = texts[i] ? parse(id, texts[i]) : undefined;
          return stored !== undefined && !isDeleted(stored);
        }),
      );
    },
  };
}

function isDeleted(stored: StoredChannel | typeof UNREADABLE): boolean {
  return stored !== UNREADABLE && stored.deleted === true;
}

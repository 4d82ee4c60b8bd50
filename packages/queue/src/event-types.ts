/**
 * The custom events that are activated, in one hash with a version: a producer asks for the version every second and
 * reads the hash when it has changed, so that checking an event asks Redis for nothing.
 */
import { EVENT_TYPES_MAX, type EventType } from '@hookfleet/contract';
import { createReadStored, isTime, type OnUnreadable } from './read-stored.ts';
import type { RedisConnection } from './connection.ts';
import { eventTypesKey, eventTypesVersionKey } from './keys.ts';

export interface StoredEventType extends EventType {
  readonly activatedAtMs: number;
}

export interface EventTypes {
  /** Replaces it. `full`: EVENT_TYPES_MAX others are activated. */
  put(name: string, type: EventType): Promise<'created' | 'replaced' | 'full'>;
  get(name: string): Promise<StoredEventType | undefined>;
  /** False where it was not activated. */
  delete(name: string): Promise<boolean>;
  /** Changes with every change of a type. */
  version(): Promise<string>;
  /** By name, as text: what has not changed is the same text. */
  all(): Promise<ReadonlyMap<string, string>>;
}

export function parseEventType(text: string): StoredEventType {
  return JSON.parse(text) as StoredEventType;
}

export function openEventTypes({
  connection,
  prefix,
  now = Date.now,
  onError,
}: {
  connection: RedisConnection;
  prefix: string;
  now?: () => number;
  /** Told of entries that can't be read: their events are not activated. */
  onError?: OnUnreadable;
}): EventTypes {
  const read = createReadStored<StoredEventType>('an event type', onError, ({ activatedAtMs }) =>
    isTime(activatedAtMs),
  );
  const key = eventTypesKey(prefix);
  const versionKey = eventTypesVersionKey(prefix);

  async function get(name: string): Promise<StoredEventType | undefined> {
    const text = await connection.hget(key, name);
    return text === null ? undefined : read(name, text);
  }

  return {
    get,
    async put(name, type) {
      const existing = await get(name);
      // Two at once may exceed it by one: the bound is there for memory, and is far from where that would hurt.
      if (existing === undefined && (await connection.hlen(key)) >= EVENT_TYPES_MAX) return 'full';
      const stored: StoredEventType = { ...type, activatedAtMs: existing?.activatedAtMs ?? now() };
      await connection.multi().hset(key, name, JSON.stringify(stored)).incr(versionKey).exec();
      return existing === undefined ? 'created' : 'replaced';
    },
    async delete(name) {
      const replies = await connection.multi().hdel(key, name).incr(versionKey).exec();
      return replies?.[0]?.[1] === 1;
    },
    async version() {
      return (await connection.get(versionKey)) ?? '';
    },
    async all() {
      const texts = Object.entries(await connection.hgetall(key));
      return new Map(texts.filter(([name, text]) => read(name, text) !== undefined));
    },
  };
}

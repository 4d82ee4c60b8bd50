/**
 * The circuits of lanes, shared by the fleet: one small hash that holds those which are not closed. A change is made
 * only to what its maker saw, so that of many workers that see the same failure one makes the change, and tells it.
 */
import type { RedisConnection } from './connection.ts';
import { circuitsKey, dueLanesKey } from './keys.ts';
import { createReadStored, type OnUnreadable, readAll } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';

export type Circuit =
  /** Nothing is sent until somebody resumes it. */
  | { readonly state: 'paused'; readonly sinceMs: number; readonly why: 'gone' | 'operator' }
  /** Nothing is sent but a probe at `probeAtMs`. */
  | {
      readonly state: 'open';
      readonly sinceMs: number;
      readonly why: string;
      readonly probeAtMs: number;
      readonly cooldownMs: number;
    };

export interface Circuits {
  all(): Promise<ReadonlyMap<string, Circuit>>;
  get(lane: string): Promise<Circuit | undefined>;
  /** Undefined stands for closed. False where the circuit is no longer as it was seen. */
  change(lane: string, seen: Circuit | undefined, wanted: Circuit | undefined): Promise<boolean>;
  /** Whatever the circuit is: an operator's word stands. */
  set(lane: string, wanted: Circuit | undefined): Promise<void>;
}

export function openCircuits({
  connection,
  prefix,
  onError,
}: {
  connection: RedisConnection;
  prefix: string;
  /** Told of entries that can't be read: they are taken for closed circuits. */
  onError?: OnUnreadable;
}): Circuits {
  const read = createReadStored<Circuit>('a circuit', onError, ({ sinceMs }) => Number.isFinite(sinceMs));
  defineScripts(connection);
  const key = circuitsKey(prefix);

  async function get(lane: string): Promise<Circuit | undefined> {
    const text = await connection.hget(key, lane);
    return text === null ? undefined : read(lane, text);
  }

  async function swap(lane: string, from: string, wanted: Circuit | undefined): Promise<boolean> {
    const to = wanted === undefined ? '' : JSON.stringify(wanted);
    return (await runScript(connection, 'changeCircuit', [key, dueLanesKey(prefix)], [lane, from, to])) === 1;
  }

  return {
    get,
    change: (lane, seen, wanted) => swap(lane, seen === undefined ? '' : JSON.stringify(seen), wanted),
    async set(lane, wanted) {
      // By its text: one that can't be read is replaced too.
      while (!(await swap(lane, (await connection.hget(key, lane)) ?? '', wanted)));
    },
    async all() {
      return readAll(await connection.hgetall(key), read);
    },
  };
}

/** The lane of a channel's webhooks, or of an inline destination's: its origin, which holds no secret. */
export function laneOf(channelConfigId: string | undefined, url: string): string {
  return channelConfigId === undefined ? `origin:${new URL(url).origin}` : `channel:${channelConfigId}`;
}

/** Undefined for an inline destination's lane. */
export function channelOfLane(lane: string): string | undefined {
  return lane.startsWith('channel:') ? lane.slice('channel:'.length) : undefined;
}

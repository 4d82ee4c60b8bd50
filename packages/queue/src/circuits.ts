/**
 * The circuits of lanes, shared by the fleet: one small hash that holds those which are not closed. A change is made
 * only to what its maker saw, so that of many workers that see the same failure one makes the change, and tells it.
 */
import type { RedisConnection } from './connection.ts';
import { controlsKeys } from './keys.ts';
import { createReadStored, isTime, type OnUnreadable, readAll, type ReadStored } from './read-stored.ts';
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
      /** Until when the destination asked to be left alone (Retry-After), whichever worker was told. Absent if it didn't. */
      readonly askedUntilMs?: number;
    };

export interface Circuits {
  all(): Promise<ReadonlyMap<string, Circuit>>;
  get(lane: string): Promise<Circuit | undefined>;
  /** Undefined stands for closed. False if the circuit is not what the caller knows. */
  change(lane: string, known: Circuit | undefined, wanted: Circuit | undefined): Promise<boolean>;
  /** Whatever the circuit is: an operator's word stands. */
  set(lane: string, wanted: Circuit | undefined): Promise<void>;
}

// change-circuit.lua: whatever it is.
const ANY = '*';

export function openCircuits({
  connection,
  prefix,
  onError,
}: {
  connection: RedisConnection;
  prefix: string;
  /** Receives entries that cannot be read: they are taken for closed circuits. */
  onError?: OnUnreadable;
}): Circuits {
  const read = parseCircuit(onError);
  defineScripts(connection);
  const { circuits: key, dueLanes, version, changes } = controlsKeys(prefix);

  async function swap(lane: string, known: string, wanted: Circuit | undefined): Promise<boolean> {
    const changed = await runScript(
      connection,
      'changeCircuit',
      [key, dueLanes, version, changes],
      [lane, known, toText(wanted)],
    );
    return changed === 1;
  }

  return {
    async get(lane) {
      const text = await connection.hget(key, lane);
      return text === null ? undefined : read(lane, text);
    },
    change: (lane, known, wanted) => swap(lane, toText(known), wanted),
    async set(lane, wanted) {
      await swap(lane, ANY, wanted);
    },
    async all() {
      return readAll(await connection.hgetall(key), read);
    },
  };
}

/** Reads a stored circuit; undefined for an entry that cannot be read. */
export function parseCircuit(onError: OnUnreadable | undefined): ReadStored<Circuit> {
  return createReadStored<Circuit>('a circuit', onError, ({ sinceMs }) => isTime(sinceMs));
}

function toText(circuit: Circuit | undefined): string {
  return circuit === undefined ? '' : JSON.stringify(circuit);
}

/** The lane of a channel's webhooks, or of an inline destination's: its origin, which holds no secret. */
export function laneOf(channelConfigId: string | undefined, url: string): string {
  return channelConfigId === undefined ? `origin:${new URL(url).origin}` : `channel:${channelConfigId}`;
}

/** Undefined for an inline destination's lane. */
export function channelOfLane(lane: string): string | undefined {
  return lane.startsWith('channel:') ? lane.slice('channel:'.length) : undefined;
}

/**
 * The circuits of lanes, shared by the fleet: one small hash that holds those which are not closed. A change is made
 * only to what its maker saw, so that of many workers that see the same failure one makes the change, and tells it.
 */
import type { RedisConnection } from './connection.ts';
import { circuitsKey, dueLanesKey } from './keys.ts';
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
}: {
  connection: RedisConnection;
  prefix: string;
}): Circuits {
  defineScripts(connection);
  const key = circuitsKey(prefix);

  async function get(lane: string): Promise<Circuit | undefined> {
    const text = await connection.hget(key, lane);
    return text === null ? undefined : (JSON.parse(text) as Circuit);
  }

  async function change(
    lane: string,
    seen: Circuit | undefined,
    wanted: Circuit | undefined,
  ): Promise<boolean> {
    const [from, to] = [seen, wanted].map((circuit) =>
      circuit === undefined ? '' : JSON.stringify(circuit),
    );
    const changed = await runScript(
      connection,
      'changeCircuit',
      [key, dueLanesKey(prefix)],
      [lane, from ?? '', to ?? ''],
    );
    return changed === 1;
  }

  return {
    get,
    change,
    async set(lane, wanted) {
      while (!(await change(lane, await get(lane), wanted)));
    },
    async all() {
      const texts = await connection.hgetall(key);
      return new Map(Object.entries(texts).map(([lane, text]) => [lane, JSON.parse(text) as Circuit]));
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

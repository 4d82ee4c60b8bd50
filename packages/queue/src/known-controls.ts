/**
 * What this process knows of campaigns' controls and of circuits: a copy, as old as FRESH_MS at most when somebody
 * decides by it.
 *
 * Whoever is about to begin an attempt asks `untilFresh` first. Within FRESH_MS of the last read the answer costs nothing;
 * else one read of what has changed (read-changes.lua) serves all that ask. So nothing that was paused or cancelled is
 * begun later than FRESH_MS after the change was written, by any worker, and a busy worker pays some twenty small reads a
 * second for it. While Redis does not answer, nothing is begun.
 *
 * The age counts from before the read. A process that is held up reads again until an answer is young enough.
 *
 * A bundle carries the version of the controls that its producer knew, so what is enqueued after a pause is not sent by a
 * worker that does not know of it yet.
 *
 * With each answer comes the time of Redis: `now` is the clock that all processes share, for deadlines and delays.
 */
import { type Circuit, parseCircuit } from './circuits.ts';
import { campaignOfLane, readControls, type StoredControls } from './campaign-controls.ts';
import type { RedisConnection } from './connection.ts';
import { createLossCheck } from './count-losses.ts';
import { controlsKeys } from './keys.ts';
import { type OnUnreadable, readAll } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';

/** Half of what is promised: 100 ms after a call's answer. */
export const FRESH_MS = 50;
// A process of an earlier version changes circuits without a note.
const READ_ALL_EVERY_MS = 60_000;

export interface KnownControls {
  /**
   * Undefined if what is known is fresh, and of `version` at least; else resolves when it is. Rejects with Redis' error.
   */
  untilFresh(version?: number): Promise<void> | undefined;
  /** Resolves when what is known was read after the call began. Rejects with Redis' error. */
  untilLatest(): Promise<void>;
  /** Empty if the campaign has none. */
  of(campaignId: string): StoredControls;
  /** Is a webhook of that generation cancelled, or the campaign's deadline past? */
  isCancelled(campaignId: string, generation: number | undefined): boolean;
  /** Undefined if the circuit is closed. */
  circuitOf(lane: string): Circuit | undefined;
  /** Of what is known: it grows with each change. */
  version(): number;
  /** Redis' time in milliseconds since 1970. */
  now(): number;
}

export interface KnownControlsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly onError: OnUnreadable;
  /** Receives the lane of each campaign, channel or origin that has changed; undefined: any may have. */
  readonly onChanged?: (lane: string | undefined) => void;
}

type Reply = [
  nowMs: number,
  version: string,
  earlierVersion: string,
  kind: 'same' | 'some' | 'all',
  ...rest: unknown[],
];

export function openKnownControls(options: KnownControlsOptions): KnownControls {
  const { connection, prefix, onError, onChanged } = options;
  const keys = controlsKeys(prefix);
  const read = readControls(onError);
  const readCircuit = parseCircuit(onError);
  defineScripts(connection);
  let controls = new Map<string, StoredControls>();
  let circuits = new Map<string, Circuit>();
  let version = '';
  let earlierVersion = '';
  let freshSince = Number.NEGATIVE_INFINITY;
  let allReadAt = Number.NEGATIVE_INFINITY;
  let clockOffsetMs = Date.now() - performance.now();
  let reading: Promise<void> | undefined;
  const wasLost = createLossCheck(connection);

  async function readChanges(): Promise<void> {
    const beganAt = performance.now();
    // A master that took over may lack changes that are known here.
    if (wasLost()) allReadAt = Number.NEGATIVE_INFINITY;
    const isAllDue = beganAt - allReadAt > READ_ALL_EVERY_MS;
    const reply = (await runScript(
      connection,
      'readChanges',
      [keys.version, keys.changes, keys.controls, keys.circuits, keys.earlierVersion],
      [isAllDue ? '' : version, earlierVersion],
    )) as Reply;
    apply(reply);
    // Redis took its time somewhere between the two.
    clockOffsetMs = reply[0] - (beganAt + performance.now()) / 2;
    freshSince = beganAt;
    if (reply[3] === 'all') allReadAt = beganAt;
  }

  function apply([, latest, latestEarlier, kind, ...rest]: Reply): void {
    version = latest;
    earlierVersion = latestEarlier;
    if (kind === 'all') {
      controls = readAll(toEntries(rest[0] as string[]), read);
      circuits = readAll(toEntries(rest[1] as string[]), readCircuit);
      onChanged?.(undefined);
    } else {
      for (let i = 0; i < rest.length; i += 3)
        applyOne(...(rest.slice(i, i + 3) as [string, string, string]));
    }
  }

  function applyOne(lane: string, controlsText: string, circuitText: string): void {
    const campaignId = campaignOfLane(lane);
    if (campaignId !== undefined) put(controls, campaignId, controlsText && read(campaignId, controlsText));
    put(circuits, lane, circuitText && readCircuit(lane, circuitText));
    onChanged?.(lane);
  }

  function readOnce(): Promise<void> {
    reading ??= readChanges().finally(() => {
      reading = undefined;
    });
    return reading;
  }

  const isFresh = () => performance.now() - freshSince <= FRESH_MS;
  const now = () => performance.now() + clockOffsetMs;

  async function untilReadSince(beganAt: () => number): Promise<void> {
    do await readOnce();
    while (freshSince < beganAt());
  }

  function untilLatest(): Promise<void> {
    const askedAt = performance.now();
    return untilReadSince(() => askedAt);
  }

  return {
    untilFresh(wanted = 0) {
      // A master that took over may not have the version: one read is enough then.
      if (Number(version) < wanted) return untilLatest();
      return isFresh() ? undefined : untilReadSince(() => performance.now() - FRESH_MS);
    },
    untilLatest,
    of: (campaignId) => controls.get(campaignId) ?? {},
    isCancelled(campaignId, generation = 0) {
      const { cancelledAtMs, deadline, generation: current = 0 } = controls.get(campaignId) ?? {};
      if (cancelledAtMs !== undefined || generation < current) return true;
      return deadline !== undefined && now() > Date.parse(deadline);
    },
    circuitOf: (lane) => circuits.get(lane),
    version: () => Number(version),
    now,
  };
}

function put<T>(map: Map<string, T>, key: string, value: T | '' | undefined): void {
  if (value === '' || value === undefined) map.delete(key);
  else map.set(key, value);
}

function toEntries(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1] as string]),
  );
}

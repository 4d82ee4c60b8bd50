/**
 * The controls of campaigns: rate, priority, deadline, whether the campaign is cancelled. Each change is one script
 * (change-controls.lua) that touches its own fields and answers with all of them. Processes that ask often keep a copy
 * (known-controls.ts). Whether a campaign is paused stands among the circuits (circuits.ts), under its lane.
 */
import type { CampaignControls, CampaignPriority } from '@hookfleet/contract';
import { type Circuit, parseCircuit } from './circuits.ts';
import type { RedisConnection } from './connection.ts';
import { controlsKeys } from './keys.ts';
import { createReadStored, isTime, type OnUnreadable, type ReadStored } from './read-stored.ts';
import { defineScripts, runScript } from './scripts.ts';

export interface StoredControls extends CampaignControls {
  /** Since then, what waits and what comes is counted as cancelled and not sent. */
  readonly cancelledAtMs?: number;
  /** How often the campaign was resumed after a cancel: what was enqueued in an earlier generation stays cancelled. */
  readonly generation?: number;
  /** The deadline as a number, for the script that changes it. */
  readonly deadlineAtMs?: number;
}

export interface CampaignState {
  readonly controls: StoredControls;
  /** Of the campaign's lane: present while the campaign is paused. */
  readonly circuit: Circuit | undefined;
}

export interface CampaignChange extends CampaignState {
  readonly before: StoredControls;
}

export interface CampaignControlsStore {
  get(campaignId: string): Promise<CampaignState>;
  /** Of many campaigns, in their order: without their circuits. */
  controlsOf(campaignIds: readonly string[]): Promise<StoredControls[]>;
  /** Replaces rate, priority and deadline. */
  set(campaignId: string, controls: CampaignControls): Promise<CampaignChange>;
  pause(campaignId: string): Promise<CampaignChange>;
  /** Ends a pause or a cancel. */
  resume(campaignId: string): Promise<CampaignChange>;
  cancel(campaignId: string): Promise<CampaignChange>;
}

// What a webhook costs its campaign in a lane: while both wait, sixteen of a high one go for each of a normal one.
const LANE_COSTS: Readonly<Record<CampaignPriority, number>> = { high: 1 / 16, normal: 1, low: 16 };

export function openCampaignControls({
  connection,
  prefix,
  onError,
}: {
  connection: RedisConnection;
  prefix: string;
  /** Receives entries that cannot be read: their campaigns have no controls. */
  onError?: OnUnreadable;
}): CampaignControlsStore {
  const read = readControls(onError);
  const readCircuit = parseCircuit(onError);
  const keys = controlsKeys(prefix);
  defineScripts(connection);

  const controlsOf = (campaignId: string, text: string | null) =>
    text ? (read(campaignId, text) ?? {}) : {};
  const circuitOf = (lane: string, text: string | null) => (text ? readCircuit(lane, text) : undefined);

  async function change(
    campaignId: string,
    verb: 'set' | 'pause' | 'resume' | 'cancel',
    fields: readonly [controls: string, cost: number | '', deadlineMs: number | ''] = ['', '', ''],
  ): Promise<CampaignChange> {
    const lane = campaignLane(campaignId);
    const { controls, circuits, priorities, sweeps, dueLanes, version, changes } = keys;
    const [before, after, circuit] = (await runScript(
      connection,
      'changeControls',
      [controls, circuits, priorities, sweeps, dueLanes, version, changes],
      [campaignId, lane, verb, ...fields],
    )) as [string, string, string];
    return {
      before: controlsOf(campaignId, before),
      controls: controlsOf(campaignId, after),
      circuit: circuitOf(lane, circuit),
    };
  }

  return {
    async get(campaignId) {
      const lane = campaignLane(campaignId);
      const [controls, circuit] = (await connection
        .multi()
        .hget(keys.controls, campaignId)
        .hget(keys.circuits, lane)
        .exec()) as [[null, string | null], [null, string | null]];
      return { controls: controlsOf(campaignId, controls[1]), circuit: circuitOf(lane, circuit[1]) };
    },
    async controlsOf(campaignIds) {
      if (campaignIds.length === 0) return [];
      const texts = await connection.hmget(keys.controls, ...campaignIds);
      return campaignIds.map((campaignId, i) => controlsOf(campaignId, texts[i] ?? null));
    },
    set(campaignId, controls) {
      const { priority = 'normal', deadline } = controls;
      return change(campaignId, 'set', [
        JSON.stringify(controls),
        priority === 'normal' ? '' : LANE_COSTS[priority],
        deadline === undefined ? '' : Date.parse(deadline),
      ]);
    },
    pause: (campaignId) => change(campaignId, 'pause'),
    resume: (campaignId) => change(campaignId, 'resume'),
    cancel: (campaignId) => change(campaignId, 'cancel'),
  };
}

/** Reads stored controls; undefined for an entry that cannot be read. */
export function readControls(onError: OnUnreadable | undefined): ReadStored<StoredControls> {
  return createReadStored<StoredControls>("a campaign's controls", onError, ({ cancelledAtMs = 0 }) =>
    isTime(cancelledAtMs),
  );
}

/** Where the webhooks of a campaign wait that is paused, or has a rate. */
export function campaignLane(campaignId: string): string {
  return `campaign:${campaignId}`;
}

/** Undefined for a lane that is no campaign's. */
export function campaignOfLane(lane: string): string | undefined {
  return lane.startsWith('campaign:') ? lane.slice('campaign:'.length) : undefined;
}

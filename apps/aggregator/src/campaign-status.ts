/** Where a campaign stands, decided from what is stored of it: here, and nowhere else. Pure. */
import type { CampaignStatus, CampaignTotals } from '@hookfleet/contract';
import {
  campaignLane,
  campaignOfLane,
  channelOfLane,
  type Circuit,
  type StoredControls,
} from '@hookfleet/queue';

export interface CampaignFacts {
  readonly messages: CampaignTotals['messages'];
  /** When the first of its webhooks is to be sent; undefined if an earlier version counted them. */
  readonly firstDueMs: number | undefined;
  readonly controls: Pick<StoredControls, 'cancelledAtMs' | 'deadlineAtMs' | 'deadline'>;
  /** Of its own lane: present while it is paused. */
  readonly circuit: Circuit | undefined;
  /** Lanes that are not closed, in which webhooks of it wait. */
  readonly holds: readonly { readonly lane: string; readonly circuit: Circuit }[];
  readonly nowMs: number;
}

const HOLDS_MAX = 10;

export function campaignStatus(facts: CampaignFacts): CampaignStatus {
  const { messages, firstDueMs, controls, circuit, holds, nowMs } = facts;
  const { accepted, pending, cancelled } = messages;
  if (controls.cancelledAtMs !== undefined)
    return { state: 'cancelled', ...time('since', controls.cancelledAtMs) };
  const deadlineMs = controls.deadline === undefined ? undefined : Date.parse(controls.deadline);
  // What ended before the deadline was completed in time.
  if (deadlineMs !== undefined && deadlineMs <= nowMs && (accepted === 0 || pending > 0 || cancelled > 0))
    return { state: 'expired', ...time('since', deadlineMs) };
  if (circuit !== undefined) return { state: 'paused', ...time('since', circuit.sinceMs) };
  if (pending <= 0) return { state: 'completed' };
  if (firstDueMs !== undefined && firstDueMs > nowMs)
    return { state: 'scheduled', ...time('until', firstDueMs) };
  if (holds.length === 0) return { state: 'running' };
  return heldBack(holds);
}

function heldBack(holds: CampaignFacts['holds']): CampaignStatus {
  const rank = ({ state }: Circuit) => (state === 'paused' ? 0 : 1);
  const sorted = holds.toSorted(
    (a, b) => rank(a.circuit) - rank(b.circuit) || a.circuit.sinceMs - b.circuit.sinceMs,
  );
  const probes = holds.map(({ circuit }) => (circuit.state === 'open' ? circuit.probeAtMs : Infinity));
  const untilMs = Math.max(...probes);
  return {
    state: 'heldBack',
    ...time('until', untilMs),
    heldBy: sorted.slice(0, HOLDS_MAX).map(({ lane, circuit }) => ({
      ...ownerOf(lane),
      state: circuit.state,
      why: circuit.why,
      since: new Date(circuit.sinceMs).toISOString(),
      ...(circuit.state === 'open' && time('until', circuit.probeAtMs)),
    })),
  };
}

export interface LaneOwner {
  /** One of the three. */
  readonly channelConfigId?: string;
  readonly campaignId?: string;
  /** Of inline destinations. */
  readonly origin?: string;
}

export function ownerOf(lane: string): LaneOwner {
  const [channelConfigId, campaignId] = [channelOfLane(lane), campaignOfLane(lane)];
  if (channelConfigId !== undefined) return { channelConfigId };
  if (campaignId !== undefined) return { campaignId };
  return { origin: lane.replace(/^origin:/, '') };
}

export function circuitOfCampaign(
  circuits: ReadonlyMap<string, Circuit>,
  campaignId: string,
): Circuit | undefined {
  return circuits.get(campaignLane(campaignId));
}

/** Nothing of what is no date: anybody may have written to Redis. */
function time<Name extends string>(name: Name, ms: number): { [name in Name]?: string } {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? {} : ({ [name]: date.toISOString() } as { [name in Name]?: string });
}

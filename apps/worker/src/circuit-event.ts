/** A change of a lane's circuit as an event of the fleet. */
import type { FleetEvent } from '@hookfleet/contract';
import { channelOfLane } from '@hookfleet/queue';
import type { CircuitState } from './lane-scheduler.ts';

export function circuitEvent(lane: string, state: CircuitState, why: string, nowMs: number): FleetEvent {
  const channelConfigId = channelOfLane(lane);
  return {
    event: 'circuit.changed',
    occurredAt: new Date(nowMs).toISOString(),
    ...(channelConfigId === undefined ? { origin: lane.slice('origin:'.length) } : { channelConfigId }),
    state,
    why,
  };
}

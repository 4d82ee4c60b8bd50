/**
 * What happens to the fleet, beside the outcomes of attempts: circuits that open and close, what operators do, campaigns
 * that are complete. Kept in one short stream, the same words as in the logs.
 */
import { type Static, Type } from 'typebox';

export const FLEET_EVENTS = [
  'circuit.changed',
  'channel.paused',
  'channel.resumed',
  'campaign.paused',
  'campaign.resumed',
  'campaign.cancelled',
  'campaign.completed',
] as const;

export const FleetEvent = Type.Object({
  event: Type.Enum([...FLEET_EVENTS]),
  occurredAt: Type.String({ format: 'date-time' }),
  campaignId: Type.Optional(Type.String()),
  channelConfigId: Type.Optional(Type.String()),
  origin: Type.Optional(Type.String({ description: 'Of an inline destination whose circuit changed.' })),
  state: Type.Optional(
    Type.Enum(['closed', 'open', 'paused'], { description: 'Of a circuit: what it changed to.' }),
  ),
  why: Type.Optional(Type.String({ description: "Of a circuit: the outcome's reason." })),
});

export type FleetEvent = Static<typeof FleetEvent>;

/**
 * The fleet's events, in a Redis stream that keeps the latest ten thousand or so. They inform: a process that dies in the
 * wrong moment may leave out one that it has done, but for `campaign.completed` (apps/aggregator, close-campaign.lua).
 */
import type { FleetEvent } from '@hookfleet/contract';
import type { RedisConnection } from './connection.ts';
import { fleetEventsKey } from './keys.ts';

/** About 250 bytes each. */
export const FLEET_EVENTS_KEPT = 10_000;

export interface FleetEventPage {
  readonly events: readonly (FleetEvent & { readonly id: string })[];
  /** Where the next page begins; undefined after the last. */
  readonly cursor: string | undefined;
}

export interface FleetEvents {
  add(event: FleetEvent): Promise<void>;
  /** The latest first. `before`: a cursor of the page before. */
  list(limit: number, before?: string): Promise<FleetEventPage>;
}

export function openFleetEvents({
  connection,
  prefix,
}: {
  connection: RedisConnection;
  prefix: string;
}): FleetEvents {
  const key = fleetEventsKey(prefix);
  return {
    async add(event) {
      await connection.xadd(key, 'MAXLEN', '~', FLEET_EVENTS_KEPT, '*', 'event', JSON.stringify(event));
    },
    async list(limit, before) {
      const entries = await connection.xrevrange(
        key,
        before === undefined ? '+' : `(${before}`,
        '-',
        'COUNT',
        limit,
      );
      const events = entries.map(([id, [, text = '']]) => ({ id, ...(JSON.parse(text) as FleetEvent) }));
      return { events, cursor: events.length < limit ? undefined : events.at(-1)?.id };
    },
  };
}

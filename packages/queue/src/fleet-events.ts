/**
 * The fleet's events, in a Redis stream that keeps the latest ten thousand or so. They inform: a process that dies in the
 * wrong moment may leave out one that it has done, but for `campaign.completed` (apps/aggregator, close-campaign.lua).
 */
import type { FleetEvent } from '@hookfleet/contract';
import type { RedisConnection } from './connection.ts';
import { fleetEventsKey } from './keys.ts';
import { createReadStored, type OnUnreadable } from './read-stored.ts';

/** About 250 bytes each. */
export const FLEET_EVENTS_KEPT = 10_000;

export interface FleetEventPage {
  readonly events: readonly (FleetEvent & { readonly id: string })[];
  /** Where the next page begins; undefined after the last. */
  readonly cursor: string | undefined;
}

export interface FleetEvents {
  add(event: FleetEvent): Promise<void>;
  /** The latest first; fewer than the limit if some can't be read. `before`: a cursor of the page before. */
  list(limit: number, before?: string): Promise<FleetEventPage>;
}

export function openFleetEvents({
  connection,
  prefix,
  onError,
}: {
  connection: RedisConnection;
  prefix: string;
  /** Told of events that can't be read. */
  onError?: OnUnreadable;
}): FleetEvents {
  const key = fleetEventsKey(prefix);
  const read = createReadStored<FleetEvent>(
    'a fleet event',
    onError,
    ({ event, occurredAt }) => typeof event === 'string' && typeof occurredAt === 'string',
  );
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
      const events = entries.flatMap(([id, [, text = '']]) => {
        const event = read(id, text);
        return event === undefined ? [] : [{ ...event, id }];
      });
      return { events, cursor: entries.length < limit ? undefined : entries.at(-1)?.[0] };
    },
  };
}

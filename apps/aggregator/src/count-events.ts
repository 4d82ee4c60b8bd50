/**
 * Counts custom events. May be called with the same ones again and again: apply-events.lua counts each once. As with
 * webhooks (count-results.ts), the campaign is in the index before it has counters.
 */
import { readFileSync } from 'node:fs';
import type { ReportedEvent } from '@hookfleet/contract';
import type { OnUnreadable, RedisConnection } from '@hookfleet/queue';
import type { CampaignIndex } from './campaign-index.ts';
import type { CountingRetention } from './plan-counting.ts';
import { createTellOfCounters } from './tell-of-counters.ts';
import { type EventsCall, planEvents } from './plan-events.ts';

export interface CountedEvents {
  /** Events that were counted now. */
  readonly events: number;
  /** Events that had been counted before. */
  readonly repeatedEvents: number;
}

export interface CountEventsOptions {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly retention: CountingRetention;
  /** An event's id is recognized for so long after it was counted. */
  readonly eventIdsMs: number;
  readonly index: Pick<CampaignIndex, 'touch'>;
  readonly onUnreadable?: OnUnreadable | undefined;
  readonly now: () => number;
}

export type CountEvents = (events: readonly ReportedEvent[]) => Promise<CountedEvents>;

const SCRIPT = { lua: readFileSync(new URL('apply-events.lua', import.meta.url), 'utf8') };

export function createCountEvents(options: CountEventsOptions): CountEvents {
  const { connection, prefix, retention, eventIdsMs, index, onUnreadable, now } = options;
  connection.defineCommand('applyEvents', SCRIPT);
  const { applyEvents } = connection as unknown as {
    applyEvents(keysCount: number, ...keysAndPlan: (string | Buffer)[]): Promise<[number, number, string[]]>;
  };
  const tellOfCounters = createTellOfCounters(onUnreadable);

  async function count({ campaignId, keys, digests, plan }: EventsCall): Promise<[number, number]> {
    await index.touch(campaignId);
    const [fresh, repeated, replaced] = await applyEvents.call(
      connection,
      keys.length,
      ...keys,
      JSON.stringify(plan),
      ...digests,
    );
    tellOfCounters(replaced, { campaignId });
    return [fresh, repeated];
  }

  return async (events) => {
    const calls = planEvents(events, { prefix, retention, eventIdsMs, nowMs: now() });
    const counted = await Promise.all(calls.map(count));
    return {
      events: counted.reduce((sum, [fresh]) => sum + fresh, 0),
      repeatedEvents: counted.reduce((sum, [, repeated]) => sum + repeated, 0),
    };
  };
}

/**
 * Custom events' way into the results queue. A call's events travel in one job, so that they are all in Redis or none
 * is; small calls that come at once share a job.
 */
import type { ReportedEvent } from '@hookfleet/contract';
import { createGroupCommit } from './group-commit.ts';
import { createPositionAllocator } from './positions.ts';
import { openResultsOut } from './results-out.ts';
import type { ShardOptions } from './shard-queues.ts';

// A call with more events than this has a job of its own; so no job holds more than 1,000, a quarter of a megabyte.
const SHARED_EVENTS_MAX = 50;
const CALLS_PER_JOB_MAX = 20;
const LINGER_MS = 1;
const WRITES_MAX = 4;

export type EventToReport = Omit<ReportedEvent, 'mark'>;

export interface EventsOut {
  /** Resolves when the events are in Redis. Rejects with Redis' error; with ids, the call may then be made again. */
  report(events: readonly EventToReport[]): Promise<void>;
  close(): Promise<void>;
}

export function openEventsOut(options: ShardOptions): EventsOut {
  const { shards } = options;
  const results = openResultsOut(options);
  const positions = createPositionAllocator();
  let turn = 0;

  const groups = Array.from({ length: shards }, (_, shard) =>
    createGroupCommit<readonly ReportedEvent[]>({
      write: (calls) => results.add(shard, { events: calls.flat() }),
      itemsMax: CALLS_PER_JOB_MAX,
      lingerMs: LINGER_MS,
      writesMax: WRITES_MAX,
    }),
  );

  /** Without an id of the caller's, an event has a place among ours: a job that runs twice counts it once. */
  function marked(event: EventToReport): ReportedEvent {
    if (event.id !== undefined) return event;
    const { run, first } = positions.allocate(event.campaignId, 1);
    return { ...event, mark: { run, position: first } };
  }

  return {
    async report(events) {
      const shard = turn++ % shards;
      const reported = events.map(marked);
      if (reported.length > SHARED_EVENTS_MAX) await results.add(shard, { events: reported });
      else await groups[shard]?.add(reported);
    },
    async close() {
      await Promise.all(groups.map((group) => group.drain()));
      await results.close();
    },
  };
}

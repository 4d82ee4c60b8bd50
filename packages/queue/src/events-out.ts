/**
 * Custom events' way into the results queue. A call's events travel in one job, so that they are all in Redis or none
 * is; small calls that come at once share a job.
 */
import { distinctTraces, type ReportedEvent, type TraceContext } from '@hookfleet/contract';
import { createGroupCommit } from './group-commit.ts';
import { createPositionAllocator } from './positions.ts';
import { type ReplicaWait, shardKeys } from './replica-wait.ts';
import { openResultsOut } from './results-out.ts';
import type { ShardOptions } from './shard-queues.ts';

// A call with more events than this has a job of its own; so no job holds more than 1,000, a quarter of a megabyte.
const SHARED_EVENTS_MAX = 50;
const CALLS_PER_JOB_MAX = 20;
const LINGER_MS = 1;
const WRITES_MAX = 4;

export type EventToReport = Omit<ReportedEvent, 'mark'>;

interface Call {
  readonly events: readonly ReportedEvent[];
  readonly trace: TraceContext | undefined;
}

export interface EventsOut {
  /** Resolves when the events are in Redis. Rejects with Redis' error; with ids, the call may then be made again. */
  report(events: readonly EventToReport[], trace?: TraceContext): Promise<void>;
  close(): Promise<void>;
}

export function openEventsOut(
  options: ShardOptions & {
    /** Asked before `report` returns, where an operator wants it. */
    readonly untilReplicated?: ReplicaWait | undefined;
  },
): EventsOut {
  const { shards, untilReplicated } = options;
  const results = openResultsOut(options);
  const positions = createPositionAllocator();
  let turn = 0;

  const groups = Array.from({ length: shards }, (_, shard) =>
    createGroupCommit<Call>({
      write: (calls) => write(shard, calls),
      itemsMax: CALLS_PER_JOB_MAX,
      lingerMs: LINGER_MS,
      writesMax: WRITES_MAX,
      failsWaiting: true,
    }),
  );

  async function write(shard: number, calls: readonly Call[]): Promise<void> {
    const traces = distinctTraces(calls.map(({ trace }) => trace));
    await results.add(shard, {
      events: calls.flatMap(({ events }) => events),
      ...(traces.length > 0 && { traces }),
    });
  }

  /** Without an id of the caller's, an event has a place among ours: a job that runs twice counts it once. */
  function marked(event: EventToReport): ReportedEvent {
    if (event.id !== undefined) return event;
    const { run, first } = positions.allocate(event.campaignId, 1);
    return { ...event, mark: { run, position: first } };
  }

  return {
    async report(events, trace) {
      const untilKept = untilReplicated?.begin();
      const shard = turn++ % shards;
      const call = { events: events.map(marked), trace };
      if (events.length > SHARED_EVENTS_MAX) await write(shard, [call]);
      else await groups[shard]?.add(call);
      await untilKept?.(shardKeys(options, [shard]));
    },
    async close() {
      await Promise.all(groups.map((group) => group.drain()));
      await results.close();
    },
  };
}

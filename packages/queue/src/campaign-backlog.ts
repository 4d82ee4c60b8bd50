/**
 * How many webhooks of each campaign wait in a shard's queue, as far as steering needs to know: kept in a small hash
 * that all processes add to, a few times a second whatever the load. From it a bundle gets its priority when it joins.
 */
import { type CampaignPriority, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import { QueueKeys } from 'bullmq';
import { campaignFlow } from './campaign-flows.ts';
import { backlogKey, dueLaterKey, shardPrefix } from './keys.ts';
import { queuePriority } from './queue-priority.ts';
import { defineScripts, runScript } from './scripts.ts';
import type { ShardOptions } from './shard-queues.ts';

// So long the counts of other processes may be unknown here: a few hundred webhooks of a campaign at most.
const FLUSH_INTERVAL_MS = 50;
// Campaigns remembered; beyond it the least recently used are taken for new ones.
const FLOWS_MAX = 20_000;

export interface CampaignBacklog {
  /** Webhooks join the queue: BullMQ's priority for them. */
  join(shard: number, campaignId: string, webhooks: number, isRetry: boolean): number;
  /** Webhooks that joined were taken out of the queue. */
  leave(shard: number, campaignId: string, webhooks: number, isRetry: boolean): void;
  /** The shard's queue was found empty. */
  drained(shard: number): void;
  close(): Promise<void>;
}

export interface CampaignBacklogOptions extends ShardOptions {
  readonly priorityOf: (campaignId: string) => CampaignPriority;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

export function createCampaignBacklog(options: CampaignBacklogOptions): CampaignBacklog {
  const { connection, prefix, shards, priorityOf, onError } = options;
  defineScripts(connection);
  const counts = Array.from({ length: shards }, () => new Map<string, number>());
  const changes = Array.from({ length: shards }, () => new Map<string, number>());
  const underWay = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  function change(shard: number, flow: string, webhooks: number): number {
    const known = counts[shard] as Map<string, number>;
    const before = known.get(flow) ?? 0;
    remember(known, flow, Math.max(0, before + webhooks));
    const changed = changes[shard] as Map<string, number>;
    changed.set(flow, (changed.get(flow) ?? 0) + webhooks);
    timer ??= setTimeout(flush, FLUSH_INTERVAL_MS);
    return before;
  }

  function inBackground(work: Promise<unknown>): void {
    const done = work
      .then(
        () => undefined,
        // What is not told now is forgotten: the counts steer, and no more.
        (error: Error) => onError(error, { doing: 'tell the backlog' }),
      )
      .finally(() => underWay.delete(done));
    underWay.add(done);
  }

  function flush(): void {
    timer = undefined;
    for (const [shard, changed] of changes.entries()) {
      if (changed.size === 0) continue;
      changes[shard] = new Map();
      inBackground(tell(shard, changed));
    }
  }

  async function tell(shard: number, changed: ReadonlyMap<string, number>): Promise<void> {
    const replies = (await runScript(
      connection,
      'adjustBacklog',
      [backlogKey(shardPrefix(prefix, shard))],
      [...changed].flat(),
    )) as number[];
    const known = counts[shard] as Map<string, number>;
    for (const [i, flow] of [...changed.keys()].entries()) {
      // What has changed here since then is not in the reply.
      const since = changes[shard]?.get(flow) ?? 0;
      remember(known, flow, Math.max(0, (replies[i] ?? 0) + since));
    }
  }

  return {
    join(shard, campaignId, webhooks, isRetry) {
      const waiting = change(shard, campaignFlow(campaignId, isRetry), webhooks);
      return queuePriority({ waiting, priority: priorityOf(campaignId), isRetry });
    },
    leave(shard, campaignId, webhooks, isRetry) {
      change(shard, campaignFlow(campaignId, isRetry), -webhooks);
    },
    drained(shard) {
      counts[shard]?.clear();
      const tag = shardPrefix(prefix, shard);
      const bull = new QueueKeys(tag).getKeys(WEBHOOKS_QUEUE) as Record<string, string>;
      const states = ['wait', 'prioritized', 'active', 'delayed'].map((state) => bull[state] ?? '');
      inBackground(runScript(connection, 'resetBacklog', [backlogKey(tag), dueLaterKey(tag), ...states], []));
    },
    async close() {
      clearTimeout(timer);
      flush();
      await Promise.all(underWay);
    },
  };
}

/** The most recently used come last. */
function remember(known: Map<string, number>, flow: string, count: number): void {
  known.delete(flow);
  if (count > 0) known.set(flow, count);
  if (known.size > FLOWS_MAX) known.delete(known.keys().next().value as string);
}

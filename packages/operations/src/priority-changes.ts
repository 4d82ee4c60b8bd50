/**
 * A campaign's priority changes: what waits of it moves at once, and once more when every producer has heard of the new
 * one, for what was enqueued meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CampaignPriority } from '@hookfleet/contract';
import type { CampaignJobs } from '@hookfleet/queue';

export interface PriorityChanges {
  changed(campaignId: string, priority: CampaignPriority): void;
  stop(): Promise<void>;
}

export interface PriorityChangesOptions {
  readonly jobs: Pick<CampaignJobs, 'reprioritize'>;
  readonly onMoved: (campaignId: string, jobs: number) => void;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

// Every producer reads the controls each second (known-controls.ts), and may be slow once.
const HEARD_BY_ALL_MS = 2_000;

export function createPriorityChanges({ jobs, onMoved, onError }: PriorityChangesOptions): PriorityChanges {
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();

  async function move(campaignId: string, priority: CampaignPriority): Promise<void> {
    const atOnce = await jobs.reprioritize(campaignId, priority);
    await sleep(HEARD_BY_ALL_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    onMoved(campaignId, atOnce + (await jobs.reprioritize(campaignId, priority)));
  }

  return {
    changed(campaignId, priority) {
      const moving = move(campaignId, priority)
        .catch((error: Error) => onError(error, { doing: 'move jobs to a new priority', campaignId }))
        .finally(() => underWay.delete(moving));
      underWay.add(moving);
    },
    async stop() {
      stopping.abort();
      await Promise.all(underWay);
    },
  };
}

/**
 * What becomes of a campaign's jobs that wait in the queue when its controls change. Jobs are named after their campaign,
 * so that they are found without reading what they hold: a backlog of 100,000 webhooks takes a second or two. What is
 * taken by a worker meanwhile is left to it. May be repeated.
 *
 * A sweep brings the waiting jobs of a campaign to the workers, to be counted as cancelled. The script that cancels a
 * campaign or sets its deadline writes when the sweep is due (change-controls.lua); any worker takes it, and if that worker
 * dies another one does. A job that is swept and not cancelled goes back to its time: workers send nothing before it.
 */
import { type CampaignPriority, WEBHOOKS_QUEUE } from '@hookfleet/contract';
import type { Queue } from 'bullmq';
import { controlsKeys } from './keys.ts';
import { emptyJob, unlessGone } from './move-job.ts';
import { queuePriorityMoved } from './queue-priority.ts';
import { defineScripts, runScript } from './scripts.ts';
import { openShardQueues, type ShardOptions } from './shard-queues.ts';

export interface CampaignJobs {
  /** Moves what waits to where the campaign's new priority belongs. Resolves to the number of jobs. */
  reprioritize(campaignId: string, priority: CampaignPriority): Promise<number>;
  /** Brings its jobs to the front, those that are due later too. Resolves to the number of jobs. */
  bringForward(campaignId: string): Promise<number>;
  /** Takes sweeps that are due. */
  takeSweeps(): Promise<Sweep[]>;
  /** To be called when a sweep is done. If the campaign was cancelled again meanwhile, that sweep stays due. */
  sweepDone(sweep: Sweep): Promise<void>;
  close(): Promise<void>;
}

// One look at the queue's order: so many ids, whose names are then asked for together.
const SCAN_COUNT = 1_000;
// BullMQ keeps the priority in the upper part of a job's score, and its turn in the lower 32 bits.
const SCORE_PER_PRIORITY = 2 ** 32;
// Longer than the sweep of a large campaign takes. If its worker dies, another one takes it after that.
const SWEEP_TAKEN_MS = 30_000;
const SWEEPS_AT_ONCE = 10;

export interface Sweep {
  readonly campaignId: string;
  readonly member: string;
  readonly takenUntilMs: number;
}

export function openCampaignJobs(options: ShardOptions): CampaignJobs {
  const { connection, prefix } = options;
  const queues = openShardQueues(WEBHOOKS_QUEUE, options);
  const { sweeps } = controlsKeys(prefix);
  defineScripts(connection);

  /** The campaign's jobs among those of a sorted set, with their scores, a page at a time. */
  async function* jobsIn(queue: Queue, set: 'prioritized' | 'delayed', campaignId: string) {
    const key = queue.toKey(set);
    let cursor = '0';
    do {
      const [next, flat] = await connection.zscan(key, cursor, 'COUNT', SCAN_COUNT);
      const ids = flat.filter((_, i) => i % 2 === 0);
      const names = await Promise.all(ids.map((id) => connection.hget(queue.toKey(id), 'name')));
      yield ids.flatMap((id, i) =>
        names[i] === campaignId ? [{ job: emptyJob(queue, id), score: Number(flat[2 * i + 1]) }] : [],
      );
      cursor = next;
    } while (cursor !== '0');
  }

  async function reprioritizeIn(
    queue: Queue,
    campaignId: string,
    priority: CampaignPriority,
  ): Promise<number> {
    let moved = 0;
    for await (const page of jobsIn(queue, 'prioritized', campaignId)) {
      const changes = page.flatMap(({ job, score }) => {
        const current = Math.floor(score / SCORE_PER_PRIORITY);
        const wanted = queuePriorityMoved(current, priority);
        return wanted === current ? [] : [unlessGone(job.changePriority({ priority: wanted }))];
      });
      await Promise.all(changes);
      moved += changes.length;
    }
    return moved;
  }

  async function bringForwardIn(queue: Queue, campaignId: string): Promise<number> {
    let moved = 0;
    for await (const page of jobsIn(queue, 'delayed', campaignId)) {
      await Promise.all(page.map(({ job }) => unlessGone(job.promote())));
      moved += page.length;
    }
    for await (const page of jobsIn(queue, 'prioritized', campaignId)) {
      await Promise.all(page.map(({ job }) => unlessGone(job.changePriority({ priority: 0, lifo: true }))));
      moved += page.length;
    }
    return moved;
  }

  return {
    async reprioritize(campaignId, priority) {
      const moved = await Promise.all(queues.all.map((queue) => reprioritizeIn(queue, campaignId, priority)));
      return moved.reduce((sum, count) => sum + count, 0);
    },
    async bringForward(campaignId) {
      const moved = await Promise.all(queues.all.map((queue) => bringForwardIn(queue, campaignId)));
      return moved.reduce((sum, count) => sum + count, 0);
    },
    async takeSweeps() {
      const [takenUntilMs, ...members] = (await runScript(
        connection,
        'claimDue',
        [sweeps],
        [SWEEPS_AT_ONCE, SWEEP_TAKEN_MS],
      )) as [number, ...string[]];
      return members.map((member) => ({ campaignId: member.split(' ')[0] as string, member, takenUntilMs }));
    },
    async sweepDone({ member, takenUntilMs }) {
      await runScript(connection, 'settleSweep', [sweeps], [member, takenUntilMs]);
    },
    close: queues.close,
  };
}

/**
 * Sweeps: what waits of a campaign that is cancelled, or whose deadline is past, is brought to the workers at once, to be
 * counted as cancelled. Which campaigns are due stands in Redis (campaign-jobs.ts), so none is forgotten.
 */
import type { CampaignJobs, Sweep } from '@hookfleet/queue';

export interface SweepCampaignsOptions {
  readonly jobs: Pick<CampaignJobs, 'bringForward' | 'takeSweeps' | 'sweepDone'>;
  /** What waits of the campaign elsewhere than in the queue is to be looked at. */
  readonly onSwept: (campaignId: string) => void;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
  /** How often to look for sweeps that are due. Default: twice a second. */
  readonly lookEveryMs?: number | undefined;
}

const LOOK_EVERY_MS = 500;

/** Resolves the stop when the sweep under way is done. */
export function startSweepingCampaigns(options: SweepCampaignsOptions): { stop(): Promise<void> } {
  const { jobs, onSwept, onError, lookEveryMs = LOOK_EVERY_MS } = options;

  async function sweep(due: Sweep): Promise<void> {
    await jobs.bringForward(due.campaignId);
    onSwept(due.campaignId);
    await jobs.sweepDone(due);
  }

  async function look(): Promise<void> {
    for (const due of await jobs.takeSweeps()) await sweep(due);
  }

  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    // One at a time while Redis is slow, or the campaign large.
    looking ??= look()
      .catch((error: Error) => onError(error, { doing: 'sweep a campaign' }))
      .finally(() => {
        looking = undefined;
      });
  }, lookEveryMs);

  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

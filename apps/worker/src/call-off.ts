/**
 * A campaign is called off: what waits of it, in queues and lanes, is brought to the workers at once, to be counted as
 * cancelled. Every worker that hears of it sees to the lanes, and one of them to the queues; if that one dies in those
 * seconds, jobs that are due later are cancelled when they are due.
 */
import type { CampaignJobs, Lanes } from '@hookfleet/queue';

export interface CallOff {
  calledOff(campaignId: string): void;
  stop(): Promise<void>;
}

export interface CallOffOptions {
  readonly jobs: Pick<CampaignJobs, 'callOff'>;
  readonly lanes: Pick<Lanes, 'parked' | 'flush'>;
  readonly onError: (error: Error, context: Record<string, unknown>) => void;
}

export function createCallOff({ jobs, lanes, onError }: CallOffOptions): CallOff {
  const underWay = new Set<Promise<void>>();

  async function clear(campaignId: string): Promise<void> {
    await jobs.callOff(campaignId);
    for (const lane of (await lanes.parked()).keys()) await lanes.flush(lane, campaignId);
  }

  return {
    calledOff(campaignId) {
      const clearing = clear(campaignId)
        .catch((error: Error) => onError(error, { doing: 'clear a campaign that is called off', campaignId }))
        .finally(() => underWay.delete(clearing));
      underWay.add(clearing);
    },
    async stop() {
      await Promise.all(underWay);
    },
  };
}

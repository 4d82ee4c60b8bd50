/**
 * A campaign's webhooks as they wait: first attempts and retries are two flows, told apart wherever turns are taken
 * (lanes.ts, campaign-backlog.ts). Ids hold no space, so what follows one can't be mistaken; lane.lua reads
 * a retry's flow by its space.
 */
export function campaignFlow(campaignId: string, isRetry: boolean): string {
  return isRetry ? `${campaignId} retries` : campaignId;
}

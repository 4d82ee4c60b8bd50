/**
 * The keys of the counters. A campaign's keys share a Redis Cluster slot of their own, apart from the queues', so
 * that counting spreads over the masters.
 *
 *     {hookfleet:c:<campaign>}:totals
 *     {hookfleet:c:<campaign>}:marks:<run>       which webhooks and attempts are counted (apply-results.lua)
 *     {hookfleet:c:<campaign>}:late:<run>        attempts beyond the twelfth
 *     {hookfleet:c:<campaign>}:minute:<n>, :hour:<n>, :day:<n>
 *     {hookfleet}:campaigns                      sorted set: campaigns by their last event
 *     {hookfleet}:open                           set: campaigns with pending messages, for hookfleet_unaccounted
 */
import type { Step } from './steps.ts';

export function campaignKeys(prefix: string, campaignId: string) {
  const tag = `{${prefix}:c:${campaignId}}`;
  return {
    totals: `${tag}:totals`,
    marks: (run: string) => `${tag}:marks:${run}`,
    late: (run: string) => `${tag}:late:${run}`,
    buckets: (step: Step, hash: number) => `${tag}:${step}:${hash}`,
  };
}

export function campaignsKey(prefix: string): string {
  return `{${prefix}}:campaigns`;
}

export function openCampaignsKey(prefix: string): string {
  return `{${prefix}}:open`;
}

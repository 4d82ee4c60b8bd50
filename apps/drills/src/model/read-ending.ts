/** How a story ended, as the fleet tells: the state of each webhook, and each campaign's counters and audit. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CampaignTotals } from '@hookfleet/contract';
import { type EndedCampaign, type EndedWebhook, MESSAGE_STATES, type MessageState } from './history.ts';
import type { ModelFleet } from './model-fleet.ts';
import { nowMs } from './record-requests.ts';

const POLL_MS = 100;
const COUNTED_WITHIN_MS = 3_000;
// A worker that was killed has logged attempts, maybe, and not reported them: another one does, when its locks have ended.
const AUDITED_WITHIN_MS = 8_000;
const LOOK_UPS_AT_ONCE = 20;

export async function totalsOf(fleet: ModelFleet, campaignId: string): Promise<CampaignTotals | undefined> {
  const { status, body } = await fleet.call('aggregator', 'GET', `/v1/campaigns/${campaignId}`);
  return status === 200 ? (body as CampaignTotals) : undefined;
}

export function isEnded({ state }: EndedWebhook): boolean {
  return MESSAGE_STATES.some((ended) => ended === state);
}

/** Undefined for a webhook that the fleet does not know. */
export async function lookUp(
  fleet: ModelFleet,
  ids: readonly string[],
): Promise<Map<string, EndedWebhook | undefined>> {
  const found = new Map<string, EndedWebhook | undefined>();
  const left = ids.values();
  await Promise.all(
    Array.from({ length: LOOK_UPS_AT_ONCE }, async () => {
      for (const id of left) {
        const { status, body } = await fleet.call('producer', 'GET', `/v1/webhooks/${id}`);
        found.set(id, status === 200 ? (body as EndedWebhook) : undefined);
      }
    }),
  );
  return found;
}

/** The campaign's counters and audit, when they agree with the webhooks' states, or have had time to. */
export async function endOf(
  fleet: ModelFleet,
  campaignId: string,
  campaign: number,
  states: readonly string[],
): Promise<EndedCampaign> {
  const wanted = { accepted: states.length, pending: 0, ...countsOf(states) };
  const beganAtMs = nowMs();
  for (;;) {
    const messages = (await totalsOf(fleet, campaignId))?.messages ?? NOTHING;
    const isRight = Object.entries(wanted).every(
      ([name, count]) => messages[name as keyof typeof NOTHING] === count,
    );
    const waitedMs = nowMs() - beganAtMs;
    if (isRight || waitedMs > COUNTED_WITHIN_MS) {
      const differences = await differencesOf(fleet, campaignId);
      if (differences.length === 0 || waitedMs > AUDITED_WITHIN_MS)
        return { campaign, messages, differences };
    }
    await sleep(POLL_MS);
  }
}

const NOTHING = { accepted: 0, delivered: 0, failed: 0, cancelled: 0, pending: 0 };

function countsOf(states: readonly string[]): Record<MessageState, number> {
  const count = (state: MessageState) => states.filter((one) => one === state).length;
  return { delivered: count('delivered'), failed: count('failed'), cancelled: count('cancelled') };
}

interface Audit {
  readonly differences?: readonly { counter: string; counted: number; recomputed: number }[];
  readonly complete?: boolean;
}

async function differencesOf(fleet: ModelFleet, campaignId: string): Promise<string[]> {
  const { status, body } = await fleet.call('aggregator', 'GET', `/v1/campaigns/${campaignId}/audit`);
  if (status !== 200) return [`the audit was answered ${status}`];
  const { differences = [], complete } = body as Audit;
  return [
    ...differences.map(
      ({ counter, counted, recomputed }) => `${counter} is ${counted}, the logs say ${recomputed}`,
    ),
    ...(complete === true ? [] : ['attempts that were counted are not logged']),
  ];
}

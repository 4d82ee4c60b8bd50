/**
 * Runs a story on a fleet, brings everything to its end, and reads how each webhook ended. The end: all workers are up,
 * every channel and campaign is resumed and without limits, dead letters whose replay met a cancel are replayed once more,
 * and when nothing else is pending, what is scheduled in hours is cancelled.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CampaignTotals } from '@hookfleet/contract';
import {
  type AcceptedWebhook,
  type Done,
  type EndedCampaign,
  type EndedWebhook,
  type History,
  type Look,
  MESSAGE_STATES,
  type MessageState,
} from './history.ts';
import type { ModelFleet } from './model-fleet.ts';
import { modelOf } from './oracle/reference-model.ts';
import { nowMs, startRecorder } from './record-requests.ts';
import { type Operation, operationsOf, type Story } from './story.ts';
import { openStoryCalls, type StoryCalls } from './story-calls.ts';

// So that the last operation's effects are seen before everything is resumed.
const WATCH_MS = 700;
const POLL_MS = 100;
const SETTLE_MS = 10_000;
// The leases of a killed worker run out first.
const SETTLE_AFTER_KILL_MS = 30_000;
const COUNTED_WITHIN_MS = 3_000;
const LOOK_UPS_AT_ONCE = 20;

/** `prefix`: of ids that no other run has. */
export async function runStory(fleet: ModelFleet, story: Story, prefix: string): Promise<History> {
  await fleet.resetWorkers();
  const recorder = await startRecorder();
  try {
    const calls = openStoryCalls(fleet, recorder, prefix);
    const done: Done[] = [];
    const looks: Look[] = [];
    for (const [step, { waitMs, operations }] of story.steps.entries()) {
      await sleep(waitMs);
      done.push(...(await Promise.all(operations.map((operation) => calls.carryOut(operation, step)))));
      for (const campaign of controlled(operations)) looks.push(await look(fleet, calls, campaign));
    }
    await sleep(WATCH_MS);
    await calls.settled();
    await fleet.resetWorkers();
    const campaigns = [...new Set(done.flatMap(({ webhooks = [] }) => webhooks.map((one) => one.campaign)))];
    await close(fleet, calls, story, campaigns, done);
    const ids = done.flatMap(({ webhooks = [] }) => webhooks.map(({ id }) => id));
    const webhooks = await lookUp(fleet, [...new Set(ids)]);
    const ended: EndedCampaign[] = [];
    // One after the other: an aggregator makes one audit at a time.
    for (const campaign of campaigns) {
      const own = new Set(webhooksOf(done, campaign).map(({ id }) => id));
      const states = [...own].map((id) => webhooks.get(id)?.state ?? '');
      ended.push(await endOf(fleet, calls.campaignId(campaign), campaign, states));
    }
    return {
      done,
      looks,
      received: [...recorder.received],
      lags: [...recorder.lags],
      ending: { webhooks, campaigns: ended },
      endedAtMs: nowMs(),
    };
  } finally {
    await recorder.close();
  }
}

/** Campaigns whose controls or state these operations change. */
function controlled(operations: readonly Operation[]): Set<number> {
  return new Set(
    operations.flatMap((one) =>
      'campaign' in one && one.kind !== 'enqueue' && one.kind !== 'replay-campaign' ? [one.campaign] : [],
    ),
  );
}

async function look(fleet: ModelFleet, calls: StoryCalls, campaign: number): Promise<Look> {
  const atMs = nowMs();
  const { body } = await fleet.call(
    'producer',
    'GET',
    `/v1/campaigns/${calls.campaignId(campaign)}/controls`,
  );
  return { campaign, atMs, controls: body as Look['controls'] };
}

/** What the driver does after the story, as operations: the model knows of them. */
async function close(
  fleet: ModelFleet,
  calls: StoryCalls,
  story: Story,
  campaigns: readonly number[],
  done: Done[],
): Promise<void> {
  const carryOut = async (operations: readonly Operation[]) =>
    done.push(...(await Promise.all(operations.map((operation) => calls.carryOut(operation, undefined)))));
  const channels = new Map(
    operationsOf(story).flatMap((one) => (one.kind === 'put-channel' ? [[one.channel, one] as const] : [])),
  );
  const wasCancelled = campaigns.filter((campaign) => replayMetCancel(done, campaign));
  await carryOut([
    ...[...channels.values()].map((one) => ({ ...one, limits: {} })),
    ...campaigns.map((campaign) => ({ kind: 'put-controls', campaign }) as const),
  ]);
  await carryOut([
    ...[...channels.keys()].map((channel) => ({ kind: 'resume-channel', channel }) as const),
    ...campaigns.map((campaign) => ({ kind: 'resume-campaign', campaign }) as const),
  ]);
  const settleMs = operationsOf(story).some(({ kind }) => kind === 'kill-worker')
    ? SETTLE_AFTER_KILL_MS
    : SETTLE_MS;
  const settle = () =>
    Promise.all(campaigns.map((campaign) => untilSettled(fleet, calls, campaign, done, settleMs)));
  await settle();
  if (wasCancelled.length > 0) {
    await carryOut(wasCancelled.map((campaign) => ({ kind: 'replay-campaign', campaign }) as const));
    await settle();
  }
  const far = campaigns.filter((campaign) => webhooksOf(done, campaign).some(({ isFar }) => isFar));
  await carryOut(far.map((campaign) => ({ kind: 'cancel-campaign', campaign }) as const));
  await Promise.all(far.map((campaign) => untilCancelled(fleet, webhooksOf(done, campaign))));
}

/** A replay that was answered while its campaign was cancelled, or past its deadline. */
function replayMetCancel(done: readonly Done[], campaign: number): boolean {
  const model = modelOf(done, nowMs());
  return model.replays.some(
    ({ operation, requestedAtMs }) =>
      'campaign' in operation &&
      operation.campaign === campaign &&
      model
        .holdsOf(`campaign ${campaign}`)
        .some(
          ({ kind, from, until }) =>
            kind !== 'paused' &&
            from.requestedAtMs <= requestedAtMs &&
            requestedAtMs <= (until?.answeredAtMs ?? Number.POSITIVE_INFINITY),
        ),
  );
}

/** What is scheduled in hours is cancelled at once, and not when it is due. */
async function untilCancelled(fleet: ModelFleet, webhooks: readonly AcceptedWebhook[]): Promise<void> {
  const deadlineMs = nowMs() + SETTLE_MS;
  const ids = [...new Set(webhooks.map(({ id }) => id))];
  while (nowMs() < deadlineMs) {
    const found = [...(await lookUp(fleet, ids)).values()];
    if (found.every((one) => one !== undefined && isEnded(one))) return;
    await sleep(POLL_MS);
  }
}

function webhooksOf(done: readonly Done[], campaign: number): AcceptedWebhook[] {
  return done.flatMap(({ webhooks = [] }) => webhooks.filter((one) => one.campaign === campaign));
}

async function totalsOf(fleet: ModelFleet, campaignId: string): Promise<CampaignTotals | undefined> {
  const { status, body } = await fleet.call('aggregator', 'GET', `/v1/campaigns/${campaignId}`);
  return status === 200 ? (body as CampaignTotals) : undefined;
}

/** Until all have ended but what is scheduled in hours, or until it has taken too long: the oracle will tell. */
async function untilSettled(
  fleet: ModelFleet,
  calls: StoryCalls,
  campaign: number,
  done: readonly Done[],
  withinMs: number,
): Promise<void> {
  const deadlineMs = nowMs() + withinMs;
  const all = webhooksOf(done, campaign);
  const far = new Set(all.filter(({ isFar }) => isFar).map(({ id }) => id));
  const near = [...new Set(all.map(({ id }) => id))].filter((id) => !far.has(id));
  while (nowMs() < deadlineMs) {
    const messages = (await totalsOf(fleet, calls.campaignId(campaign)))?.messages;
    if (messages !== undefined && messages.pending <= far.size) {
      const found = [...(await lookUp(fleet, near)).values()];
      // A replay that is under way is pending in no counter.
      if (found.every((one) => one !== undefined && isEnded(one))) return;
    }
    await sleep(POLL_MS);
  }
}

function isEnded({ state }: EndedWebhook): boolean {
  return MESSAGE_STATES.some((ended) => ended === state);
}

/** The campaign's counters and audit, when they agree with the webhooks' states, or have had time to. */
async function endOf(
  fleet: ModelFleet,
  campaignId: string,
  campaign: number,
  states: readonly string[],
): Promise<EndedCampaign> {
  const wanted = { accepted: states.length, pending: 0, ...countsOf(states) };
  const deadlineMs = nowMs() + COUNTED_WITHIN_MS;
  for (;;) {
    const messages = (await totalsOf(fleet, campaignId))?.messages ?? NOTHING;
    const isRight = Object.entries(wanted).every(
      ([name, count]) => messages[name as keyof typeof NOTHING] === count,
    );
    if (isRight || nowMs() > deadlineMs)
      return { campaign, messages, differences: await differencesOf(fleet, campaignId) };
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

async function lookUp(
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

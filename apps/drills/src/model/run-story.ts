/**
 * Runs a story on a fleet, brings everything to its end, and reads how each webhook ended. The end: all workers are up,
 * every channel and campaign is resumed and without limits, dead letters whose replay met a cancel are replayed once more,
 * and when nothing else is pending, what is scheduled in hours is cancelled.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AcceptedWebhook, Done, EndedCampaign, History, Look } from './history.ts';
import type { ModelFleet } from './model-fleet.ts';
import { modelOf } from './oracle/reference-model.ts';
import { endOf, isEnded, lookUp, totalsOf } from './read-ending.ts';
import { nowMs, type Recorder } from './record-requests.ts';
import { type Operation, operationsOf, type Story } from './story.ts';
import { openStoryCalls, type StoryCalls } from './story-calls.ts';

// So that the last operation's effects are seen before everything is resumed.
const WATCH_MS = 700;
const POLL_MS = 100;
const SETTLE_MS = 10_000;
// The leases of a killed worker run out first.
const SETTLE_AFTER_KILL_MS = 30_000;

/** `prefix`: of ids that no other run has. */
export async function runStory(
  fleet: ModelFleet,
  recorder: Recorder,
  story: Story,
  prefix: string,
): Promise<History> {
  await fleet.resetWorkers();
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
  // Before the look-ups: what arrives during them is of webhooks that have not ended.
  const received = [...recorder.received];
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
    received,
    lags: [...recorder.lags],
    ending: { webhooks, campaigns: ended },
    endedAtMs: nowMs(),
  };
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

/** An operation of a story as the calls that it makes of a fleet, under the ids of one run. */
import type { AcceptedWebhook, Done } from './history.ts';
import type { ModelFleet } from './model-fleet.ts';
import { nowMs, type Recorder } from './record-requests.ts';
import { isFar, type Operation, type Script } from './story.ts';

export interface StoryCalls {
  /** Resolves when the operation is answered. */
  carryOut(operation: Operation, step: number | undefined): Promise<Done>;
  campaignId(campaign: number): string;
  /** Resolves when no worker is on its way up or down. */
  settled(): Promise<void>;
}

// Three attempts (oracle/webhook-lives.ts), close together.
const RETRY = { delaysMs: [150, 300], jitter: 0 };

export function openStoryCalls(fleet: ModelFleet, recorder: Recorder, prefix: string): StoryCalls {
  const scripts = new Map<number, Script>();
  const underWay: Promise<void>[] = [];
  let enqueues = 0;
  const campaignId = (campaign: number) => `${prefix}-campaign-${campaign}`;
  const channelId = (channel: number) => `${prefix}-channel-${channel}`;
  const produce = (method: string, path: string, body?: unknown) =>
    fleet.call('producer', method, path, body);

  /** Of a worker's start or end: nobody waits for it but the end of the story. */
  function inBackground(work: Promise<void>): void {
    underWay.push(work);
    // Awaited at the end; until then it is no unhandled rejection.
    work.catch(() => undefined);
  }

  async function call(
    operation: Operation,
    step: number | undefined,
    method: string,
    path: string,
    body?: unknown,
  ) {
    const requestedAtMs = nowMs();
    const { status } = await produce(method, path, body);
    return { step, operation, requestedAtMs, answeredAtMs: nowMs(), status };
  }

  async function enqueue(
    operation: Extract<Operation, { kind: 'enqueue' }>,
    step: number | undefined,
  ): Promise<Done> {
    const { campaign, to, count, as, deliverInMs, key } = operation;
    enqueues += 1;
    const nth = enqueues;
    const script = 'channel' in to ? (scripts.get(to.channel) ?? 'ok') : to.script;
    const requestedAtMs = nowMs();
    const deliverAtMs = deliverInMs === undefined ? undefined : Math.ceil(requestedAtMs + deliverInMs);
    const webhooks = Array.from({ length: count }, (_, i) => ({
      campaignId: campaignId(campaign),
      messageId: 'message',
      payload: { enqueue: nth, number: i },
      ...('channel' in to
        ? { channelConfigId: channelId(to.channel) }
        : { destination: { url: recorder.urlOf(to.script), method: to.method, retry: RETRY } }),
      ...(deliverAtMs !== undefined && { deliverAt: new Date(deliverAtMs).toISOString() }),
      ...(key !== 'none' && { idempotencyKey: `${nth}-${i}` }),
    }));

    async function send(): Promise<{ accepted: AcceptedWebhook[]; statuses: number[] }> {
      const calls = as === 'bulk' ? [webhooks] : webhooks.map((one) => [one]);
      const answers = await Promise.all(
        calls.map(async (some) => {
          const from = nowMs();
          const { status, body } =
            as === 'bulk'
              ? await produce('POST', '/v1/webhooks/bulk', { webhooks: some })
              : await produce('POST', '/v1/webhooks', some[0]);
          const { ids, id } = (status === 202 ? body : {}) as { ids?: string[]; id?: string };
          const accepted = (ids ?? (id === undefined ? [] : [id])).map((one) => ({
            id: one,
            campaign,
            ...('channel' in to && { channel: to.channel }),
            script,
            ...(deliverAtMs !== undefined && { deliverAtMs }),
            isFar: isFar(deliverInMs),
            requestedAtMs: from,
            answeredAtMs: nowMs(),
          }));
          return { accepted, status };
        }),
      );
      return {
        accepted: answers.flatMap(({ accepted }) => accepted),
        statuses: answers.map(({ status }) => status),
      };
    }

    const { accepted, statuses } = await send();
    const again = key === 'twice' ? await send() : undefined;
    const ids = new Set(accepted.map(({ id }) => id));
    const otherIds = again?.accepted.filter(({ id }) => !ids.has(id)).length ?? 0;
    return {
      step,
      operation,
      requestedAtMs,
      answeredAtMs: nowMs(),
      status: Math.max(...statuses, ...(again?.statuses ?? [])),
      webhooks: accepted,
      otherIds,
    };
  }

  async function worker(
    operation: Extract<Operation, { worker: number }>,
    step: number | undefined,
  ): Promise<Done> {
    const requestedAtMs = nowMs();
    const done: { -readonly [K in keyof Done]: Done[K] } = {
      step,
      operation,
      requestedAtMs,
      answeredAtMs: requestedAtMs,
      status: 0,
    };
    const { kind, worker: place } = operation;
    if (kind === 'start-worker') inBackground(fleet.startWorker(place));
    else {
      const ended = fleet.endWorker(place, kind === 'kill-worker' ? 'SIGKILL' : 'SIGTERM');
      const over = ended.then(async (exitCode) => {
        if (kind === 'kill-worker') await fleet.startWorker(place);
        else if (exitCode !== undefined) done.exitCode = exitCode;
        done.overAtMs = nowMs();
      });
      inBackground(over);
    }
    return done;
  }

  return {
    campaignId,
    async settled() {
      await Promise.all(underWay);
    },
    async carryOut(operation, step) {
      switch (operation.kind) {
        case 'put-channel': {
          const { channel, script, method, limits } = operation;
          scripts.set(channel, script);
          const body = { url: recorder.urlOf(script, channel), method, retry: RETRY, ...limits };
          return call(operation, step, 'PUT', `/v1/channels/${channelId(channel)}`, body);
        }
        case 'enqueue':
          return enqueue(operation, step);
        case 'pause-campaign':
        case 'resume-campaign':
        case 'cancel-campaign': {
          const verb = operation.kind.split('-')[0];
          return call(operation, step, 'POST', `/v1/campaigns/${campaignId(operation.campaign)}/${verb}`);
        }
        case 'replay-campaign':
          recorder.heal();
          return call(operation, step, 'POST', `/v1/campaigns/${campaignId(operation.campaign)}/replay`, {
            perSecond: 1_000,
          });
        case 'pause-channel':
        case 'resume-channel': {
          const verb = operation.kind.split('-')[0];
          return call(operation, step, 'POST', `/v1/channels/${channelId(operation.channel)}/${verb}`);
        }
        case 'put-controls': {
          const { campaign, deadlineInMs, kind: _kind, ...controls } = operation;
          const deadlineAtMs = deadlineInMs === undefined ? undefined : Math.ceil(nowMs() + deadlineInMs);
          const done = await call(operation, step, 'PUT', `/v1/campaigns/${campaignId(campaign)}/controls`, {
            ...controls,
            ...(deadlineAtMs !== undefined && { deadline: new Date(deadlineAtMs).toISOString() }),
          });
          return { ...done, ...(deadlineAtMs !== undefined && { deadlineAtMs }) };
        }
        case 'kill-worker':
        case 'stop-worker':
        case 'start-worker':
          return worker(operation, step);
      }
    },
  };
}

/** Webhooks on their way to the queue: all of a call are checked, then all of them are enqueued, or none. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BULK_WEBHOOKS_MAX, type TraceContext } from '@hookfleet/contract';
import type { AnswerInTime, WebhooksOut, WebhookToEnqueue } from '@hookfleet/queue';
import { keyAt, withKey } from './call-key.ts';
import { type CallRefusal, gatherFaults } from './faults-by-item.ts';
import type { KnownChannels } from './known-channels.ts';
import { toEnqueue } from './to-enqueue.ts';
import { type CallFaults, readWebhook, type WebhookText } from './webhook-text.ts';

// Others get their turn after so long: a call of 32 MiB takes some hundred milliseconds to read.
const TURN_MS = 10;

export type Enqueued =
  | { readonly ids: string[]; readonly webhooks: readonly WebhookToEnqueue[] }
  | CallRefusal;

export type WebhookTexts = AsyncIterable<WebhookText | CallFaults> | Iterable<WebhookText | CallFaults>;

export interface WebhookIntake {
  /** `trace`: what the call belongs to, where it is sampled. `callKey`: call-key.ts. */
  enqueueOne(json: Buffer, trace?: TraceContext, callKey?: string): Promise<Enqueued>;
  /** Up to BULK_WEBHOOKS_MAX. Reads no further once the call is refused for it. */
  enqueueBulk(webhooks: WebhookTexts, trace?: TraceContext, callKey?: string): Promise<Enqueued>;
}

export interface WebhookIntakeOptions {
  readonly webhooks: Pick<WebhooksOut, 'enqueue'>;
  readonly channels: Pick<KnownChannels, 'check'>;
  /** Bounds what is asked of Redis, where a caller waits for the answer. */
  readonly answerInTime?: AnswerInTime | undefined;
  readonly now: () => number;
}

// What is more may take a second by itself on a machine that is busy.
const SMALL_WEBHOOKS_MAX = 1_000;
const SMALL_CHARACTERS_MAX = 1024 * 1024;

export function createWebhookIntake(options: WebhookIntakeOptions): WebhookIntake {
  const { webhooks, channels, answerInTime = (work) => work(), now } = options;

  function enqueue(...call: Parameters<typeof enqueueChecked>): Promise<Enqueued> {
    return answerInTime(() => enqueueChecked(...call), isLarge(call[0]));
  }

  async function enqueueChecked(
    checked: readonly WebhookToEnqueue[],
    trace: TraceContext | undefined,
    pathOf: (at: number) => string,
  ): Promise<Enqueued> {
    const errors = await channels.check(checked, pathOf);
    if (errors.length > 0) return { errors };
    const traced = trace === undefined ? checked : checked.map((webhook) => ({ ...webhook, trace }));
    return { ids: await webhooks.enqueue(traced), webhooks: checked };
  }

  return {
    async enqueueOne(json, trace, callKey) {
      const checked = toEnqueue(keyed(readWebhook(json), keyAt(callKey)), '', now());
      return 'errors' in checked ? checked : enqueue([checked.webhook], trace, () => 'channelConfigId');
    },
    async enqueueBulk(texts, trace, callKey) {
      const checked = await checkAll(texts, callKey, now());
      if ('errors' in checked) return checked;
      return enqueue(checked.webhooks, trace, (at) => `webhooks[${at}].channelConfigId`);
    },
  };
}

function isLarge(webhooks: readonly WebhookToEnqueue[]): boolean {
  return (
    webhooks.length > SMALL_WEBHOOKS_MAX ||
    webhooks.reduce((sum, { body }) => sum + body.length, 0) > SMALL_CHARACTERS_MAX
  );
}

function keyed(text: WebhookText, key: string | undefined): WebhookText {
  return key === undefined ? text : { ...text, value: withKey(text.value, 'idempotencyKey', key) };
}

/** Everything in order, or all that is at fault. */
async function checkAll(
  texts: WebhookTexts,
  callKey: string | undefined,
  nowMs: number,
): Promise<{ readonly webhooks: WebhookToEnqueue[] } | CallRefusal> {
  const webhooks: WebhookToEnqueue[] = [];
  const faults = gatherFaults();
  let at = 0;
  let turnEndsAt = performance.now() + TURN_MS;
  for await (const text of texts) {
    if ('callFaults' in text) {
      faults.addOfCall(text.callFaults);
      continue;
    }
    if (at >= BULK_WEBHOOKS_MAX) {
      const detail = `must NOT have more than ${BULK_WEBHOOKS_MAX} items`;
      faults.addOfCall([{ field: 'webhooks', type: 'TOO_LONG', detail }]);
      break;
    }
    const path = `webhooks[${at}]`;
    if (faults.isFull(path)) break;
    const checked = toEnqueue(keyed(text, keyAt(callKey, at)), path, nowMs);
    if ('errors' in checked) faults.add(path, checked.errors);
    else webhooks.push(checked.webhook);
    at += 1;
    if (performance.now() > turnEndsAt) {
      await nextTurn();
      turnEndsAt = performance.now() + TURN_MS;
    }
  }
  const refusal = faults.refusal();
  if (refusal === undefined && at === 0)
    return { errors: [{ field: 'webhooks', type: 'REQUIRED', detail: 'holds no webhook' }] };
  return refusal ?? { webhooks };
}
